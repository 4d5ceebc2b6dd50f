"""A new tree: its folders, its marker, a commented settings file and the JSON Schemas; or an existing Clipper tree
taken over as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipd.config import Config, load
from clipd.errors import ConfigError, Rejected
from clipd.files import atomic, yamltext
from clipd.settings_file import render
from clipd.tree import sidecar
from clipd.tree.layout import CONFIG_NAME, Layout
from clipd.tree.marker import establish

SIDECAR_SCHEMA = "sidecar.schema.json"
CONFIG_SCHEMA = "config.schema.json"


def make(root: Path, overrides: Mapping[str, Any] | None = None) -> tuple[Layout, list[Path]]:
    """Make or complete the tree at `root`; its layout and the files written. What exists is left as it is.

    Args:
        root: the folder; made where it is missing.
        overrides: settings that differ from the defaults, nested like the settings file.

    Raises:
        ConfigError: the settings that are there, or `overrides`, are wrong.
    """
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    file = root / CONFIG_NAME
    config = load(root, file if file.exists() else None, overrides or {})
    layout = Layout(root, config.directories)
    written = []
    for folder in (layout.source, layout.sidecars, layout.outputs, layout.inbox, layout.state):
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
            "source": _folder(root, file, source.get("base"), source.get("raw")),
            "sidecars": _folder(root, file, output.get("base"), output.get("configs")),
            "outputs": _folder(root, file, output.get("base"), output.get("clips")),
        }
    }
    export = content.get("export") or {}
    if "preserve_structure" in export:
        settings["directories"]["preserve_structure"] = bool(export["preserve_structure"])
    variations = export.get("crop_variations") or {}
    known = {
        "enabled": variations.get("enabled"),
        "camera_types": variations.get("camera_types"),
        "exclude_camera_types": variations.get("exclude_camera_types"),
        "variations": variations.get("variations"),
        "wide_factor": variations.get("wide_crop_factor") or variations.get("wide_factor"),
    }
    if chosen := {key: value for key, value in known.items() if value is not None}:
        settings["clips"] = {"variations": chosen}
    cameras = content.get("cameras")
    names = [c if isinstance(c, str) else c.get("name") for c in cameras or () if isinstance(c, str | dict)]
    if names and all(isinstance(name, str) for name in names):
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


def _folder(root: Path, file: Path, base: object, below: object) -> str:
    parts = Path(str(base or "")) / str(below or "")
    folder = root / parts
    if not folder.exists() and (file.absolute().parent / parts).exists():
        folder = file.absolute().parent / parts
    try:
        return folder.absolute().relative_to(root.absolute()).as_posix()
    except ValueError:
        return str(folder.absolute())


def _json(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2) + "\n"
