"""A hook through Apprise: mail, chat and push services by one address each. The library is only loaded when used."""

from __future__ import annotations

import importlib
import logging
import threading
from typing import Any

from clipd.delivery.hooks.hook import Hook
from clipd.delivery.hooks.news import News, Undelivered


def send(hook: Hook, news: News, _given_up: threading.Event) -> None:
    """Hand the news to Apprise.

    Raises:
        Undelivered: the library is missing, does not know the address, or could not notify.
    """
    try:
        library: Any = importlib.import_module("apprise")
    except ImportError:
        raise Undelivered("Apprise is not installed; pip install 'clipd[notify]'", hopeless=True) from None
    # Its log lines may hold the address, and with it a password.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = library.Apprise()
    if not service.add(hook.apprise.get_secret_value() if hook.apprise else ""):
        raise Undelivered("Apprise does not understand its address", hopeless=True)
    kind = library.NotifyType.SUCCESS if news.status == "complete" else library.NotifyType.FAILURE
    if not service.notify(title=news.title, body=news.words, notify_type=kind):
        raise Undelivered("the service could not be notified")
