"""An errand: something that takes its time and is done beside the queue, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Errand:
    """Runs one call again and again, when it is asked to; never twice at the same time."""

    def __init__(self, name: str, call: Callable[[], None]) -> None:
        """`call` deals with its own errors; nothing runs before `start`."""
        self._name, self._call = name, call
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Does it run?"""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, unless it runs already. Being killed in the middle must do no harm: it does not outlive clipd."""
        if not self.busy:
            self._thread = threading.Thread(target=self._call, name=self._name, daemon=True)
            self._thread.start()

    def stop(self, seconds: float) -> None:
        """Wait up to `seconds` for its end."""
        if self._thread is not None:
            self._thread.join(seconds)
