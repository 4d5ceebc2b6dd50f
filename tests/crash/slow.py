"""A processor that takes its time, so that a test can do something while a clip is being made.

It is given to the daemon as `tests.crash.slow:film`; HOLD in the environment names a file that holds it while it is
there, in the daemons that have it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import av

from clipd.jobs.processor import ClipDescription, Frame

BEGAN = "began"
FRAME_SECONDS = 0.04


def film(clip: ClipDescription, frames: Iterator[Frame], staging: Path) -> list[Path]:
    """Write the pictures as they come into a small mp4."""
    hold = os.environ.get("HOLD")
    path = staging / f"{clip.stem}.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, "yuv420p"
        for number, frame in enumerate(frames):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
            time.sleep(FRAME_SECONDS)
            while number == 5 and hold and Path(hold).exists():
                time.sleep(0.02)
        output.mux(stream.encode(None))
    return [path]
