"""Files of links: shortcuts, lists and JSON, as people and programs write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipd.tree import link
from clipd.tree.layout import Directories, Layout
from tests.place import laid_out

ONE, TWO = "https://example.org/1.mp4", "https://example.org/2.mp4"
LAYOUT = Layout(Path("/tree"), Directories())


def found(data: str | bytes, name: str = "x.txt") -> tuple[link.LinkEntry, ...]:
    return link.parse(data if isinstance(data, bytes) else data.encode(), LAYOUT, LAYOUT.inbox_of("links") / name)


@pytest.mark.parametrize(
    "text",
    [
        f"[InternetShortcut]\r\nURL={ONE}\r\nIconIndex=0\r\n",
        f"\ufeff[{{000214A0-0000-0000-C000-000000000046}}]\nProp3=19,11\n[InternetShortcut]\nIDList=\nurl = {ONE}\n",
    ],
)
def test_an_internet_shortcut_is_its_address(text: str) -> None:
    (entry,) = found(text, "a.URL")
    assert entry.content == {"url": ONE}


def test_a_list_is_an_address_a_line_each_once() -> None:
    entries = found(f"# of Sunday\n\n{ONE}\n  {TWO}  \n{ONE}\n")
    assert [entry.url for entry in entries] == [ONE, TWO]
    assert len({entry.job("o") for entry in entries}) == 2


def test_json_is_one_link_or_several() -> None:
    assert found(json.dumps({"url": ONE, "camera": "c"}), "x.json")[0].content == {"url": ONE, "camera": "c"}
    entries = found(json.dumps([{"url": ONE}, 5, {"url": TWO}]), "x.json")
    assert [entry.url for entry in entries] == [ONE, "", TWO]
    assert "link 2" in entries[1].fault


def test_folders_name_camera_and_session_where_the_link_does_not() -> None:
    assert found(ONE, "cam1/may/1/x.txt")[0].content == {"url": ONE, "camera": "cam1", "session": "may/1"}
    assert found(json.dumps({"url": ONE, "camera": "mine"}), "cam1/x.json")[0].content["camera"] == "mine"


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "x.txt", "no link"),
        (b"[]", "x.json", "no link"),
        (b"[InternetShortcut]\n", "x.url", "no link"),
        (b"URL=https://example.org\n", "x.url", "no link"),
        (b"{", "x.json", "line 1"),
        (b'{"url": 1, "url": 2}', "x.json", "line 1"),
        (b"\xff\xfeh\0", "x.txt", "UTF-8"),
        (
            b"https://example.org/%d\n" * 1 + b"".join(b"https://e.org/%d\n" % n for n in range(200)),
            "x.txt",
            "at most 100",
        ),
    ],
)
def test_what_cannot_be_read_is_one_entry_with_its_fault(data: bytes, name: str, words: str) -> None:
    (entry,) = found(data, name)
    assert words in entry.fault
    assert entry.content == {}


def test_answers_are_no_links() -> None:
    assert link.is_link_file("a.json")
    assert link.is_link_file("A.URL")
    assert not link.is_link_file("a.status.json")
    assert not link.is_link_file("a.mp4")


def test_notes_say_what_is_answered(tmp_path: Path) -> None:
    layout = laid_out(tmp_path)
    assert link.read_note(layout, "j") == {}
    link.write_note(layout, "data/inbox/links/a.txt", "j", {"status": "done", "path": "a"})
    assert not link.is_answered(layout, "j")
    link.write_note(layout, "data/inbox/links/a.txt", "j", {"status": "done", "completed_at": "now"})
    assert link.is_answered(layout, "j")
