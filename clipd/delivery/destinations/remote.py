"""A destination behind an address that fsspec knows: object stores, SFTP, SMB, WebDAV, ... Loaded only when used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from clipd.delivery.destinations.destination import Destination
from clipd.delivery.destinations.directory import is_stray
from clipd.errors import ClipdError, Rejected, Temporary
from clipd.files import atomic

CHUNK_BYTES = 1 << 20
OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "ocilake", "tos", "bos"})
"""Kinds of addresses whose objects appear when their upload is complete, and which know no renaming."""


class Remote:
    """Files below an address. What the backends raise is told as `Temporary`, as they do not say what will pass."""

    def __init__(self, destination: Destination, _root: Path) -> None:
        """Connects; the root of the tree has no meaning here.

        Raises:
            Rejected: fsspec does not know this kind of address.
            Temporary: fsspec or the library for this kind of address is not installed, or it is away.
        """
        self._label = destination.label
        address = destination.url.get_secret_value() if destination.url is not None else ""
        with self._told("connecting"):
            self._library: Any = importlib.import_module("fsspec")
            known = self._library.available_protocols()
            if (kind := address.partition("://")[0]) not in known:
                raise Rejected(f"{self._label}: fsspec knows no addresses of the kind {kind}://")
            self._files: Any
            self._files, self._prefix = self._library.core.url_to_fs(address, **destination.options)
        protocols = self._files.protocol
        self._whole = bool(OBJECT_STORES & set((protocols,) if isinstance(protocols, str) else protocols))

    def size(self, name: str) -> int | None:
        """As the backend tells it now."""
        path = self._path(name)
        with self._told(f"looking at {name}"):
            self._files.invalidate_cache()
            try:
                found = self._files.info(path)
            except FileNotFoundError:
                return None
        if found.get("type") != "file":
            raise Rejected(f"{self._label}: {name} is not a file; remove or rename it")
        return int(found["size"])

    def read(self, name: str) -> Iterator[bytes]:
        """Fetched again, all of it."""
        with self._told(f"reading {name}"), self._files.open(self._path(name), "rb") as file:
            while data := file.read(CHUNK_BYTES):
                yield data

    def stage(self, name: str, source: Path, alive: Callable[[], None]) -> str:
        """By one upload; under a temporary name where the backend has no whole uploads."""
        staged = name if self._whole else str(atomic.temporary(Path(name)))
        done = False
        try:
            alive()
            with self._told(f"writing {name}"):
                if not self._whole:
                    self._files.makedirs(str(PurePosixPath(self._path(name)).parent), exist_ok=True)
                self._files.put_file(str(source), self._path(staged), callback=self._watching(alive))
            if not self._whole:
                alive()  # not every backend tells how far it is
            done = True
        finally:
            if not done and not self._whole:
                self._remove(staged)
        return staged

    def settle(self, staged: str, name: str, *, replace: bool = True) -> bool:
        """By a rename where the backend has one; else by its own copy. An object has its name already.

        Backends that rename only to free names (SMB) leave the name free for a moment when a file is replaced.
        """
        if staged == name:
            return True
        if not replace and self.size(name) is not None:
            return False
        one, other = self._path(staged), self._path(name)
        with self._told(f"renaming {name}"):
            if type(self._files).mv is self._library.AbstractFileSystem.mv:
                # Its own mv takes names such as `a[1].mp4` for patterns.
                self._files.cp_file(one, other)
                self._files.rm_file(one)
                return True
            try:
                self._files.mv(one, other)
            except FileExistsError:
                if not replace:
                    return False
                self._files.rm_file(other)
                self._files.mv(one, other)
        return True

    def discard(self, staged: str) -> None:
        """Remove it."""
        with self._told(f"removing {staged}"):
            try:
                self._files.rm_file(self._path(staged))
            except FileNotFoundError:
                return

    def strays(self, name: str) -> Iterator[str]:
        """Temporary files of this name; an upload that was cut short leaves no object."""
        if self._whole:
            return
        folder = PurePosixPath(name).parent
        with self._told(f"listing {folder}"):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._path(str(folder)), detail=False)
            except FileNotFoundError:
                return
        for path in found:
            if is_stray(PurePosixPath(path).name, PurePosixPath(name).name):
                yield str(folder / PurePosixPath(path).name)

    def _path(self, name: str) -> str:
        return f"{self._prefix.rstrip('/')}/{name}"

    def _remove(self, staged: str) -> None:
        """Courtesy after an error that is being told already: what stays is a stray."""
        try:
            self.discard(staged)
        except ClipdError:
            return

    def _watching(self, alive: Callable[[], None]) -> Any:
        callback = self._library.Callback()

        def update(_step: int = 1) -> None:
            alive()

        callback.relative_update = update
        callback.absolute_update = update
        return callback

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except ClipdError:
            raise
        except Exception as error:  # backends raise whatever their libraries do
            words = str(error).partition("\n")[0][:300]
            raise Temporary(f"{self._label}: {what}: {type(error).__name__}: {words}") from error
