"""HTML pages from the templates of a package: the one door to jinja2, and what makes every page of ours safe.

Text from outside is escaped, put on one line, and stripped of what could turn or hide other text. A page runs no script
but its own, which its policy names by hash. A template that does not fit its values raises `Temporary`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError
from markupsafe import Markup

from clipd.errors import Temporary
from clipd.log import plain


@dataclass(frozen=True)
class Script:
    """A script of a page."""

    text: Markup
    digest: str
    """SHA-256 in base64, as a Content-Security-Policy names it."""


class Templates:
    """The templates of one package, for pages that people know as `subject` ("status page")."""

    def __init__(self, package: str, subject: str, **filters: Callable[[Any], object]) -> None:
        self._subject = subject
        self._environment = Environment(
            loader=PackageLoader(package),
            autoescape=True,
            auto_reload=False,  # an upgrade under a running daemon must not mix two versions
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        self._environment.filters.update(filters)

    def page(self, name: str, **values: object) -> str:
        """The template `name` with `values`. Raises `Temporary` when they do not fit (an upgrade is under way, say)."""
        try:
            return self._environment.get_template(name).render(values)
        except TemplateError as error:
            raise Temporary(f"the {self._subject} cannot be made: {error}") from error

    def script(self, name: str) -> Script:
        """The script `name`: our own file, into which nothing is put. Raises as `page` does."""
        text = self.page(name)
        return Script(Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())  # noqa: S704


def _shown(value: object) -> object:
    """Text on one line, without control and direction characters; markup and numbers as they are."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    line = " ".join(value.split())
    return line if line.isprintable() else plain(line)  # a picture is megabytes of text that is
