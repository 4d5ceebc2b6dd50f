"""Which container holds the tracks of a film as they are, asked before they are copied."""

from __future__ import annotations

from pathlib import Path

from clipd.media.door import Limits, opened
from clipd.media.inspect import reading
from clipd.media.packets import tracks
from clipd.media.parameters import parameters_of
from clipd.media.remux import extension_for


def extension_of(path: Path, limits: Limits) -> str:
    """The suffix, without the dot, of a container for the tracks of the file at `path`: `mp4` where that can be.

    Raises:
        MediaError, Rejected: the file cannot be read, or holds no video.
    """
    with reading(path), opened(path, limits) as container:
        video, audio, _ = tracks(path, container)
        return extension_for(parameters_of(video, audio))
