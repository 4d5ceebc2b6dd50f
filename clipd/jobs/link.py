"""Links: what is fetched, and where it goes; as people write them, and as clipd takes them.

All refusals are `Rejected`, with words that name the key, what stands there and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, field_validator

from clipd.errors import Rejected
from clipd.jobs import fields
from clipd.jobs.naming import file_stem
from clipd.model.hosts import Hosts
from clipd.model.setting import Section, setting
from clipd.tree.layout import is_video

LONGEST_URL = 4096


class Settings(Section):
    """Videos that are fetched from links; needs pip install 'clipd[download]'."""

    hosts: tuple[str, ...] = setting(
        (),
        "The hosts that videos may be fetched from, such as example.org, *.example.org, 192.168.1.20 or 10.0.0.0/8; "
        "nothing is fetched from others, also where a link leads to them. Private addresses must be listed as such.",
    )
    max_size: ByteSize = setting("20GiB", "Larger videos are refused.", unit="bytes", gt=0)
    max_duration_hours: float = setting(12.0, "Longer videos are refused.", unit="hours", gt=0)
    timeout_seconds: float = setting(30.0, "How long a server may take to answer.", unit="s", gt=0)
    stall_seconds: float = setting(
        120.0,
        "A download that does not grow for so long is broken off, and goes on in the next attempt.",
        unit="s",
        gt=0,
    )

    @field_validator("hosts")
    @classmethod
    def _known(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        Hosts.of(hosts)
        return hosts


def _text(value: object) -> object:
    if value is not None and (not isinstance(value, str) or not value.strip() or len(value) > fields.LONGEST_NAME):
        raise ValueError(f"write a name in quotes, of at most {fields.LONGEST_NAME} characters")
    return value.strip() if isinstance(value, str) else value


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise ValueError("write true or false, without quotes")
    return value


def _url(value: object) -> object:
    if not isinstance(value, str) or len(value) > LONGEST_URL:
        raise ValueError(
            f'write an address in quotes, such as "https://example.org/match.mp4", below {LONGEST_URL} bytes'
        )
    text = value.strip()
    try:
        address = urlsplit(text)
        is_web = address.scheme.lower() in ("http", "https") and bool(address.hostname) and (address.port or 1) > 0
    except ValueError:
        is_web = False
    if not is_web or any(ord(character) <= 0x20 or ord(character) == 0x7F for character in text):
        raise ValueError("write an http or https address, such as https://example.org/match.mp4 (blanks as %20)")
    return text


Name = Annotated[str | None, BeforeValidator(_text)]


class Written(BaseModel):
    """A link as it stands in its file. Keys that are not named here are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    url: Annotated[str, BeforeValidator(_url)] = Field(description="The video, or a page that shows one.")
    camera: Name = Field(None, description="The camera folder that the video goes to.")
    session: Name = Field(None, description="The session folder; `a/b` is a folder in a folder.")
    name: Name = Field(None, description="How the video's file is called, without suffix; absent: its title.")
    segment: Annotated[bool, BeforeValidator(_flag)] = Field(True, description="Find the clips worth keeping in it?")


@dataclass(frozen=True)
class Link:
    """A link as clipd takes it; the folders and the name are fit to be such, "" where none is given."""

    url: str
    host: str
    camera: str
    session: str
    name: str
    segment: bool


def understood(content: Mapping[str, Any]) -> Link:
    """The link that an entry of a file amounts to.

    Raises:
        Rejected: something in it is wrong.
    """
    written = fields.checked(Written, content, 'write {"url": "https://example.org/match.mp4"}')
    return Link(
        url=written.url,
        host=urlsplit(written.url).hostname or "",
        camera=file_stem((written.camera or "").replace("/", "-")),
        session="/".join(file_stem(part) for part in (written.session or "").split("/") if part.strip(". ")),
        name=_bare(written.name or ""),
        segment=written.segment,
    )


def require_listed(link: Link, hosts: tuple[str, ...]) -> None:
    """Raise `Rejected` where the administrator does not list the host of a link."""
    if not hosts:
        raise Rejected(f"{link.host}: nothing is fetched here; the administrator lists hosts in links.hosts")
    if not Hosts.of(hosts).allow(link.host):
        raise Rejected(f"{link.host} is not among the hosts that the administrator lists in links.hosts")


def _bare(name: str) -> str:
    return name.rpartition(".")[0] if is_video(name) and name.rpartition(".")[0] else name
