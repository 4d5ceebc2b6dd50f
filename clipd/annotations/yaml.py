"""The truth sheet as YAML, for people and for tools that prefer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def render(sheet: Mapping[str, Any]) -> bytes:
    """`sheet` as UTF-8 YAML in block style, keys in the sheet's own order, each text on one line."""
    try:
        text = _dumped(sheet, _QuickDumper)
    except UnicodeEncodeError:
        text = _dumped(sheet, _Dumper)  # libyaml takes no names that are no Unicode
    return text.encode("utf-8", "backslashreplace")


def _dumped(sheet: Mapping[str, Any], dumper: Any) -> str:
    text: str = yaml.dump(dict(sheet), Dumper=dumper, sort_keys=False, allow_unicode=True, width=1 << 30)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes facts that occur twice out twice, and a text with line breaks or control characters with escapes."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library names it
        """No anchors: readers such as ours refuse them."""
        return True


_Quick: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _QuickDumper(_Quick):  # type: ignore[misc]  # libyaml may be missing where PyYAML was built by hand
    """The same by libyaml, which takes a fifth of the time."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library names it
        """No anchors: readers such as ours refuse them."""
        return True


def _text(dumper: Any, text: str) -> yaml.Node:
    style = None if text.isprintable() else '"'
    node: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


for _kind in (_Dumper, _QuickDumper):
    _kind.add_representer(str, _text)
