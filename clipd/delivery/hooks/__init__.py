"""Hooks: telling other programs how clips ended. A visible table, one file for each way of telling.

A hook gets each outcome once in normal operation. Whatever it does, the queue never waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from clipd.delivery.hooks import apprise, command, webhook
from clipd.delivery.hooks.hook import Hook
from clipd.delivery.hooks.news import News

Send = Callable[[Hook, News, threading.Event], None]
"""Sends the news once; raises `Undelivered`. A command ends within `hook.timeout_seconds`, or when the event is set; a
webhook's connection may be silent for that long; Apprise's services keep times of their own."""

WAYS: dict[str, Send] = {
    "command": command.send,
    "webhook": webhook.send,
    "apprise": apprise.send,
}
"""Way -> how it sends."""

__all__ = ["WAYS", "Hook", "News", "Send"]
