"""The settings of one hook. What may hold a password (secret, addresses) is never shown: a hook has a label."""

from __future__ import annotations

import importlib.util
import json
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator

from clipd.delivery.hooks.news import PLACEHOLDER, VALUES
from clipd.model.setting import Section, setting

Way = Literal["command", "webhook", "apprise"]


class Hook(Section):
    """Who is told when a clip is complete or has failed: one of command, webhook and apprise."""

    on: tuple[Literal["complete", "failed"], ...] = setting(
        ("complete", "failed"), "The outcomes that are told.", min_length=1
    )
    command: tuple[str, ...] | None = setting(
        None,
        "A program and its arguments, run without a shell. In an argument, a word in braces stands for a value: "
        + ", ".join(f"{{{value}}}" for value in VALUES)
        + ". The same come as CLIPD_STATUS, ... in the environment, and as JSON on standard input.",
        min_length=1,
    )
    webhook: SecretStr | None = setting(None, "An http or https address that gets the news as a JSON POST.")
    secret: SecretStr | None = setting(
        None, "Signs a webhook's body: X-Clipd-Signature is sha256=<HMAC-SHA256 of the body in hex>.", min_length=1
    )
    apprise: SecretStr | None = setting(None, "An address in Apprise's notation; needs pip install 'clipd[notify]'.")
    timeout_seconds: float = setting(30.0, "How long one try may take.", unit="s", gt=0, le=3600)
    retries: int | None = setting(
        None, "Further tries after a failed one; null is 3, and 0 for a command.", unit="tries", ge=0, le=20
    )

    @property
    def way(self) -> Way:
        """How it tells."""
        if self.command is not None:
            return "command"
        return "webhook" if self.webhook is not None else "apprise"

    @property
    def label(self) -> str:
        """What the log calls it; nothing secret is in it."""
        if self.command is not None:
            return f"command {self.command[0]}"
        address = urlsplit((self.webhook or self.apprise or SecretStr("")).get_secret_value())
        return f"webhook at {address.hostname}" if self.webhook is not None else f"apprise {address.scheme}"

    @property
    def tries(self) -> int:
        """How often it is tried at most."""
        return 1 + (self.retries if self.retries is not None else 0 if self.way == "command" else 3)

    @field_validator("command", mode="before")
    @classmethod
    def _words(cls, command: Any) -> Any:
        if isinstance(command, str):
            words = [json.dumps(word) if set(word) & set("{}[],:#\"'") else word for word in command.split()]
            raise ValueError(f"write a list of words, as no shell takes it apart: [{', '.join(words)}]")
        return command

    @field_validator("command")
    @classmethod
    def _known_values(cls, command: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for argument in command or ():
            if "\0" in argument:
                raise ValueError("an argument holds a zero byte")
            if unknown := [name for name in PLACEHOLDER.findall(argument) if name not in VALUES]:
                raise ValueError(f"there is no value {{{unknown[0]}}}; there are {', '.join(VALUES)}")
        if command and not command[0].strip():
            raise ValueError("the first word is the program; it is empty")
        return command

    @field_validator("webhook")
    @classmethod
    def _address(cls, webhook: SecretStr | None) -> SecretStr | None:
        if webhook is not None:
            text = webhook.get_secret_value()
            if not text.isascii() or not text.isprintable() or " " in text or not _is_http(text):
                raise ValueError("write an address such as https://example.org/clipd (blanks and umlauts as %20, %C3)")
        return webhook

    @field_validator("apprise")
    @classmethod
    def _installed(cls, apprise: SecretStr | None) -> SecretStr | None:
        if apprise is not None:
            if importlib.util.find_spec("apprise") is None:
                raise ValueError("Apprise is not installed on this machine; pip install 'clipd[notify]'")
            if "://" not in apprise.get_secret_value():
                raise ValueError("write an address in Apprise's notation, such as mailto://..., ntfy://...")
        return apprise

    @model_validator(mode="after")
    def _one_way(self) -> Hook:
        ways = [way for way in ("command", "webhook", "apprise") if getattr(self, way) is not None]
        if len(ways) != 1:
            raise ValueError(
                f"a hook has one of command, webhook and apprise; this one has {' and '.join(ways) or 'none'}"
            )
        if self.secret is not None and self.webhook is None:
            raise ValueError("secret signs what a webhook gets; this hook is none")
        return self


def _is_http(text: str) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in ("http", "https") and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        return False
