"""Links as they are written: what is taken, what is refused, and names that cannot lead anywhere."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clipd.errors import Rejected
from clipd.jobs.link import Settings, require_listed, understood

URL = "https://example.org/a/match.mp4?x=1"


def test_a_link_is_its_address_and_where_it_goes() -> None:
    link = understood({"url": f" {URL} ", "camera": "cam 1", "session": "2026/may", "name": "Final.mp4", "note": 1})
    assert (link.url, link.host, link.camera, link.session, link.name, link.segment) == (
        URL, "example.org", "cam 1", "2026/may", "Final", True,
    )  # fmt: skip
    assert understood({"url": URL, "segment": False}).segment is False


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "url is missing"),
        ({"url": 5}, "url: write an address"),
        ({"url": "file:///etc/passwd"}, "http or https"),
        ({"url": "ftp://example.org/x"}, "http or https"),
        ({"url": "https:///x"}, "http or https"),
        ({"url": "https://example.org:99999/x"}, "http or https"),
        ({"url": "https://example.org/a b"}, "blanks as %20"),
        ({"url": "https://example.org/\n--exec=x"}, "http or https"),
        ({"url": "--exec=touch x"}, "http or https"),
        ({"url": "ytsearch:cats"}, "http or https"),
        ({"url": URL + "x" * 5000}, "4096"),
        ({"url": URL, "camera": 5}, "camera: write a name"),
        ({"url": URL, "name": " "}, "name: write a name"),
        ({"url": URL, "segment": "yes"}, "segment: write true"),
    ],
)
def test_what_is_wrong_is_told(content: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        understood(content)


@pytest.mark.parametrize("evil", ["..", "../../etc", "/etc", ".hidden", "a/../../b", "a\0b", "a\x1bb"])
def test_names_lead_nowhere(evil: str) -> None:
    link = understood({"url": URL, "camera": evil, "session": evil, "name": evil})
    for part in (link.camera, *link.session.split("/")):
        assert "/" not in part
        assert part not in ("..", ".")
        assert not part.startswith(".")
        assert part.isprintable()


def test_hosts_are_named_with_their_setting() -> None:
    link = understood({"url": URL})
    with pytest.raises(Rejected, match=r"links\.hosts"):
        require_listed(link, ())
    with pytest.raises(Rejected, match=r"example.org is not among .* links\.hosts"):
        require_listed(link, ("other.org",))
    require_listed(link, ("*.org", "example.org"))
    with pytest.raises(ValidationError, match="no host"):
        Settings(hosts=("https://example.org",))
