"""The root marker and the state folder's version: is this the tree, is it mounted, and do we speak its protocol?"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from clipd.errors import ConfigError, Deferred
from clipd.files.atomic import as_clipd_error, create
from clipd.tree.layout import Layout

PROTOCOL = 1


class NoTree(ConfigError):
    """The folder is no clipd tree: it has no marker."""


def require_root(layout: Layout) -> None:
    """Raise `Deferred` unless the root's marker is there: a share that is away looks like an empty folder."""
    try:
        layout.marker.lstat()
    except FileNotFoundError:
        raise Deferred(f"{layout.root} has no {layout.marker.name}: the share is not mounted") from None
    except OSError as error:
        raise as_clipd_error(error, f"looking at {layout.root}") from error


def establish(layout: Layout) -> str:
    """Write marker and version where they are missing; the share's id. A lost marker gets the state folder's id."""
    layout.root.mkdir(parents=True, exist_ok=True)
    known = _read(layout, layout.version).get("share") if layout.version.exists() else None
    create(layout.marker, _document({"share": known or uuid.uuid4().hex}))
    return require_same_share(layout)


def require_same_share(layout: Layout) -> str:
    """The share's id, when marker and state folder belong together and speak our protocol.

    Raises:
        NoTree: there is no marker.
        ConfigError: another protocol, or a state folder that was copied from another tree.
    """
    if not layout.marker.exists():
        raise NoTree(f"{layout.root} is not a clipd tree (no {layout.marker.name}); make one with: clipd init DIR")
    share = _read(layout, layout.marker).get("share")
    if not isinstance(share, str):
        raise ConfigError(f"{layout.marker} names no share; delete it and run: clipd init {layout.root}")
    if not layout.version.exists():
        layout.state.mkdir(parents=True, exist_ok=True)
        create(layout.version, _document({"protocol": PROTOCOL, "share": share}))
    version = _read(layout, layout.version)
    if version.get("protocol") != PROTOCOL:
        raise ConfigError(
            f"{layout.version} is of protocol {version.get('protocol')!r}, this clipd speaks {PROTOCOL}; "
            "run the same clipd version on every machine of a tree"
        )
    if version.get("share") != share:
        raise ConfigError(
            f"{layout.state} was copied from another tree (share {version.get('share')!r}, this one is {share!r}); "
            "delete that folder: claims and receipts of another tree mean nothing here"
        )
    return share


def _document(content: dict[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"


def _read(layout: Layout, path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise as_clipd_error(error, f"reading {path}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is damaged ({error}); delete it and run: clipd init {layout.root}") from error
    return content if isinstance(content, dict) else {}
