"""A new tree: its folders, its marker, a commented settings file and the JSON Schemas; or an existing Clipper tree
taken over as it is.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipd.config import Config, load
from clipd.errors import ConfigError, Rejected
from clipd.files import atomic, yamltext
from clipd.settings_file import render
from clipd.tree import sidecar
from clipd.tree.layout import CONFIG_NAME, INBOXES, Layout
from clipd.tree.marker import establish

SIDECAR_SCHEMA = "sidecar.schema.json"
CONFIG_SCHEMA = "config.schema.json"


def make(root: Path, overrides: Mapping[str, Any] | None = None) -> tuple[Layout, list[Path]]:
    """Make or complete the tree at `root`; its layout and the files written. What exists is left as it is.

    Args:
        root: the folder; made where it is missing.
        overrides: settings that differ from the defaults, nested like the settings file; they go into a new one, and
            count for nothing where there is one already.

    Raises:
        ConfigError: the settings that are there, or `overrides`, are wrong.
    """
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    file = root / CONFIG_NAME
    # Without the environment: what it says today is not what the file shall say for good.
    config = load(root, file if file.exists() else None, None if file.exists() else overrides, environment=False)
    layout = Layout(root, config.directories)
    written = []
    inboxes = (layout.inbox_of(kind) for kind in INBOXES)
    for folder in (layout.source, layout.sidecars, layout.outputs, *inboxes, layout.state):
        folder.mkdir(parents=True, exist_ok=True)
    establish(layout)
    for path, content in (
        (file, render(config)),
        (layout.state / SIDECAR_SCHEMA, _json(sidecar.schema())),
        (layout.state / CONFIG_SCHEMA, _json(Config.model_json_schema())),
    ):
        if atomic.create(path, content.encode()):
            written.append(path)
    return layout, written


def from_clipper(file: Path, root: Path) -> dict[str, Any]:
    """The settings that a Clipper application's `config.yaml` amounts to, for the tree at `root`.

    Directories below `root` become relative to it. Relative ones in the file count from `root`, or from the file's own
    folder where they exist only there.

    Raises:
        ConfigError: the file cannot be read, or names no directories.
    """
    try:
        content: Any = yamltext.load(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except Rejected as error:
        raise ConfigError(f"{file}: {error}") from error
    directories = _mapping(content, "directories", file)
    source, output = _mapping(directories, "source", file), _mapping(directories, "output", file)
    settings: dict[str, Any] = {
        "directories": {
            "source": _folder(root, file, source, "raw"),
            "sidecars": _folder(root, file, output, "configs"),
            "outputs": _folder(root, file, output, "clips"),
        }
    }
    export = _section(content, "export", file)
    if export.get("preserve_structure") is not None:
        settings["directories"]["preserve_structure"] = _flag(export["preserve_structure"])
    variations = _section(export, "crop_variations", file)
    known = {
        "enabled": _flag(variations.get("enabled")),
        "camera_types": _names(variations.get("camera_types")),
        "exclude_camera_types": _names(variations.get("exclude_camera_types")),
        "variations": _names(variations.get("variations")),
        "wide_factor": variations.get("wide_crop_factor") or variations.get("wide_factor"),
    }
    if chosen := {key: value for key, value in known.items() if value is not None}:
        settings["clips"] = {"variations": chosen}
    if names := _names(content.get("cameras")):
        settings["cameras"] = names
    return settings


def _mapping(content: Any, key: str, file: Path) -> dict[str, Any]:
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, dict):
        raise ConfigError(
            f"{file} has no `{key}:` section; a Clipper configuration names "
            "directories: {source: {base, raw}, output: {base, clips, configs}}"
        )
    return value


def _section(content: dict[str, Any], key: str, file: Path) -> dict[str, Any]:
    """A section that may be missing or empty."""
    value = content.get(key)
    if not isinstance(value, dict | None):
        raise ConfigError(f"{file}: `{key}:` is {value!r}; a section of `name: value` lines belongs there")
    return value or {}


def _flag(value: Any) -> Any:
    """A truth value as Clipper's own reader (YAML 1.1) takes it; anything else is left for the settings to refuse."""
    return _TRUTHS.get(value.casefold(), value) if isinstance(value, str) else value


def _names(value: Any) -> list[str] | None:
    """Names: a list, a mapping by name, a list of sections with a `name`, or one name; numbers are names, too."""
    if value is None:
        return None
    items = list(value) if isinstance(value, dict | list) else [value]
    named = [item.get("name", "") if isinstance(item, dict) else item for item in items]
    return [str(name) for name in named if name is not None and str(name).strip()]


def _folder(root: Path, file: Path, section: dict[str, Any], below: str) -> str:
    words = [str(section[key]).replace("\\", "/") for key in ("base", below) if section.get(key) is not None]
    if not words:
        raise ConfigError(f"{file}: directories name neither `base` nor `{below}`")
    if windows := [word for word in words if re.match(r"[A-Za-z]:", word)]:
        raise ConfigError(f"{file}: {windows[0]} is a folder of a Windows machine; write where it is mounted here")
    parts = Path(*words)
    folder = root / parts
    if not folder.exists() and (file.absolute().parent / parts).exists():
        folder = file.absolute().parent / parts
    plain, within = Path(os.path.normpath(folder.absolute())), Path(os.path.normpath(root.absolute()))
    return plain.relative_to(within).as_posix() if plain.is_relative_to(within) else str(plain)


_TRUTHS = {**dict.fromkeys(("yes", "on", "true"), True), **dict.fromkeys(("no", "off", "false"), False)}


def _json(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2) + "\n"
