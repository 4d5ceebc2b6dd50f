"""Reads an HTML page as strictly as a test should: every element closed, every attribute seen."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

VOID = {"meta", "link", "img", "br", "hr", "input"}
LINKS = {"href", "src", "action", "data", "poster", "srcset", "formaction", "xlink:href"}


class Page(HTMLParser):
    """A page that was read whole. Asserts that it is well-formed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>: {names}"
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attributes]
        self.links += [value or "" for name, value in attributes if name in LINKS]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> inside <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            return
        self.texts.append(data)

    @property
    def words(self) -> str:
        """What a reader sees, on one line."""
        return " ".join(" ".join(self.texts).split())

    def files(self, folder: Path) -> list[Path]:
        """The files that the links lead to, from a page in `folder`; asserts that none leads to the network."""
        found = []
        for link in self.links:
            if link.startswith(("#", "data:image/svg+xml,")):
                continue
            assert link.startswith("../"), link
            assert not set(link) & set("\"'<>?#: \\"), link
            found.append(folder / unquote(link))
        return found
