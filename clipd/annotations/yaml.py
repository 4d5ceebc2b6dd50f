"""The truth sheet as YAML, for people and for tools that prefer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def render(sheet: Mapping[str, Any]) -> bytes:
    """`sheet` as UTF-8 YAML in block style, keys in the sheet's own order, each text on one line."""
    text = yaml.dump(dict(sheet), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1 << 30)
    return text.encode("utf-8", "backslashreplace")


class _Dumper(yaml.SafeDumper):
    """Writes facts that occur twice out twice, and a text with line breaks or control characters with escapes."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the library names it
        """No anchors: readers such as ours refuse them."""
        return True

    def _text(self, text: str) -> yaml.Node:
        style = None if text.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper._text)
