"""The settings of a destination: a place outside the tree that gets copies of what is published."""

from __future__ import annotations

import importlib.util
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from clipd.model.setting import Section, setting

Way = Literal["directory", "url"]


class Destination(Section):
    """Where copies of outputs go: one of directory and url."""

    directory: str | None = setting(
        None, "A folder, relative to the root or absolute; it must be there already.", min_length=1
    )
    url: SecretStr | None = setting(
        None,
        "An address that fsspec knows, such as s3://bucket/prefix or sftp://host/folder; needs "
        "pip install 'clipd[destinations]' and what fsspec needs for that kind of address (s3fs, paramiko, ...).",
    )
    options: dict[str, Any] = Field(
        {},
        description="Keys, endpoints and the like, as fsspec's documentation names them for this kind of address.",
        repr=False,
    )
    name: str = setting(
        "", "What the log, the truth sheet and `clipd status` call it; empty is the directory or the address."
    )
    formats: tuple[str, ...] = setting((), "Only outputs of these formats; empty is all.")
    cameras: tuple[str, ...] = setting((), "Only outputs of these cameras; empty is all.")
    marker: str | None = setting(
        None,
        "A file that must lie in the directory, so that an empty mount point is not taken for it; null is none.",
        min_length=1,
    )
    patience_hours: float = setting(
        168.0,
        "How long a copy is tried before it is given up; it is tried again at the next start.",
        unit="hours",
        gt=0,
    )

    @property
    def way(self) -> Way:
        """How it is reached."""
        return "directory" if self.directory is not None else "url"

    @property
    def label(self) -> str:
        """What it is called, and known by on disk; neither password nor query is in it."""
        if self.name:
            return self.name
        if self.directory is not None:
            return self.directory
        address = urlsplit((self.url or SecretStr("")).get_secret_value())
        return urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))

    def takes(self, below: str, camera: str) -> bool:
        """Does it want the output `below` the outputs tree, of this camera?"""
        return (not self.formats or PurePosixPath(below).parts[0] in self.formats) and (
            not self.cameras or camera in self.cameras
        )

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        if importlib.util.find_spec("fsspec") is None:
            raise ValueError("fsspec is not installed on this machine; pip install 'clipd[destinations]'")
        text = url.get_secret_value()
        scheme, _, rest = text.partition("://")
        if not scheme or not rest or "::" in text:
            raise ValueError("write one address of a kind that fsspec knows, such as s3://bucket/prefix")
        return url

    @model_validator(mode="after")
    def _one_way(self) -> Destination:
        ways = [way for way in ("directory", "url") if getattr(self, way) is not None]
        if len(ways) != 1:
            raise ValueError(f"a destination has one of directory and url; this one has {' and '.join(ways) or 'none'}")
        if self.marker is not None and self.directory is None:
            raise ValueError("marker belongs to a directory; this destination is none")
        if self.options and self.url is None:
            raise ValueError("options belong to a url; this destination is none")
        return self
