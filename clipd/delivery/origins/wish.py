"""What every origin offers: the wish as it stands now, and a way to answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from clipd.delivery.writeback import WriteBack
from clipd.files import lease
from clipd.model.job import Job
from clipd.tree.layout import Layout

Standing = Literal["pending", "processing", "waiting"]
"""How a wish stands before its answer: seen, worked on, or held up by something that words tell."""


@dataclass(frozen=True)
class Wish:
    """What a person asks for at this moment."""

    stand: str
    """A hash of the wish exactly as it stands, clipd's own keys included."""
    answered: str
    """A hash of the part that clipd answers in, as it stands: the same as at the claim when an old copy came back."""
    outputs: tuple[str, ...]
    """The outputs it names already, from an earlier answer."""
    saved_at: float
    """When the file it stands in was saved, by the share's clock, in seconds since the epoch."""
    due: bool
    """Does it ask for work?"""
    request: Callable[[], Any]
    """Validates the wish and returns what the job kind runs; raises `Rejected` with words for the person."""
    repeats: Literal["asked", "never", "always"] = "asked"
    """When is work that a receipt covers done again: when a person asks for it anew, never, or at every reading?"""
    asks: Callable[[], str] = lambda: ""
    """A digest of the question, to know it again once its footage is gone; raises as `request` does."""
    means: Callable[[Mapping[str, Any]], bool] = lambda _facts: True
    """Does the question, asked in the same words, still mean what a receipt with these facts answered?"""
    agree: Callable[[], None] = lambda: None
    """Raises `Rejected` when this wish and its neighbours cannot both be granted."""


@dataclass(frozen=True)
class Answer:
    """What the person is told: the outputs of a finished job, or the error of a failed one."""

    outputs: tuple[str, ...] = ()
    error: str | None = None
    status: str = ""
    """The status word that sidecars get."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the job's kind has to say besides."""


@dataclass(frozen=True)
class Occasion:
    """What an answer goes by at the moment when it is written."""

    still: Callable[[Wish], bool]
    """Is this the wish that is being answered, and not another one by now?"""
    claims: lease.Settings
    now: datetime
    settle: Callable[[float], None]
    """Waits so many seconds, for a save that is under way to end."""

    def missed(self, wish: Wish | None, what: str) -> WriteBack | None:
        """Why nobody waits for the answer any more, if so; `what` it was to, such as `the request`."""
        if wish is None:
            return WriteBack("gone", f"{what} was removed; its answer was not written")
        if not self.still(wish):
            return WriteBack("superseded", f"{what} was changed")
        return None


class Origin(Protocol):
    """Reads wishes of one kind and answers them."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The wish as it stands; None when it is gone.

        Raises:
            Temporary: it cannot be read at this moment.
        """
        ...

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Write `answer` where the person looks, unless their wish is another one by now."""
        ...

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say where the person looks how their wish stands before it is answered. Raises nothing but `Temporary`."""
        ...
