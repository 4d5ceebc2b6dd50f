"""What every detector of cuts offers: it is fed one glance after the other and says at the end where shots change.

To add one: a module with a `Settings` section and a class of this shape, and a line in the table of `scenes`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from clipd.media.glance import Glance
from clipd.model.setting import Section
from clipd.segmentation.cut import Cut


class Detector(Protocol):
    """One way of telling a shot from the next. Memory does not grow with the number of frames, only with the cuts."""

    name: ClassVar[str]
    """Its name in the table, and in each cut that it finds."""
    settings: ClassVar[type[Section]]

    def __init__(self, settings: Any) -> None:
        """Ready for the first glance of one video; `settings` are its own."""
        ...

    def feed(self, glance: Glance) -> None:
        """Takes the next frame, in presentation order, all of one size; a bounded number of them may be kept."""
        ...

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame, once the last frame was fed."""
        ...
