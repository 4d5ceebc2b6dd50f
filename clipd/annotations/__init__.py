"""Annotation formats: how a truth sheet is written beside its output. A visible table; one file each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clipd.annotations import json, txt, yaml

Render = Callable[[Mapping[str, Any]], bytes]

ANNOTATIONS: dict[str, Render] = {
    "json": json.render,
    "yaml": yaml.render,
    "txt": txt.render,
}
"""File suffix without the dot -> the bytes of the annotation."""
