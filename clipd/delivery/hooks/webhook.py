"""A hook that posts JSON to an address, signed where there is a secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import threading
import urllib.error
import urllib.request
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from clipd import __version__
from clipd.delivery.hooks.hook import Hook
from clipd.delivery.hooks.news import News, Undelivered

SIGNATURE = "X-Clipd-Signature"
WORTH_ANOTHER_TRY = (408, 425, 429)
"""Client errors that pass by themselves (RFC 9110, RFC 8470, RFC 6585); other ones do not."""


def send(hook: Hook, news: News, _given_up: threading.Event) -> None:
    """Post the news; any 2xx answer is well. Redirections are not followed: the signature is for this address.

    Raises:
        Undelivered: there was no answer in time, or another one; neither address nor secret is in its words.
    """
    body = news.body()
    try:
        with _OPENER.open(_request(hook, news, body), timeout=hook.timeout_seconds):
            return
    except urllib.error.HTTPError as error:
        hopeless = error.code < 500 and error.code not in WORTH_ANOTHER_TRY
        error.close()
        raise Undelivered(f"it answered {error.code}", hopeless=hopeless) from None
    except urllib.error.URLError as error:
        raise Undelivered(_reason(error.reason, hook)) from None
    except TimeoutError as error:
        raise Undelivered(_reason(error, hook)) from None
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"the connection broke: {type(error).__name__}") from None


def _reason(error: str | BaseException, hook: Hook) -> str:
    if isinstance(error, TimeoutError):
        return f"it did not answer within {hook.timeout_seconds:g} s"
    return (error.strerror if isinstance(error, OSError) else None) or "it cannot be reached"


def signature(secret: str, body: bytes) -> str:
    """The value of the signature header: `sha256=` and the HMAC-SHA256 of the body in hex."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _request(hook: Hook, news: News, body: bytes) -> urllib.request.Request:
    address = urlsplit(hook.webhook.get_secret_value() if hook.webhook else "")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"clipd/{__version__}",
        "X-Clipd-Event": news.status,
        "X-Clipd-Delivery": news.id,
    }
    if hook.secret is not None:
        headers[SIGNATURE] = signature(hook.secret.get_secret_value(), body)
    if address.username is not None:
        login = f"{unquote(address.username)}:{unquote(address.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    bare = urlunsplit(address._replace(netloc=address.netloc.rpartition("@")[2], fragment=""))
    return urllib.request.Request(bare, data=body, headers=headers, method="POST")  # noqa: S310 - http(s) by settings


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Never."""


_OPENER = urllib.request.build_opener(_NoRedirection)
