"""The settings as a commented YAML file: every key with what it does, its unit and its value."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ByteSize, SecretStr, TypeAdapter
from pydantic.fields import FieldInfo

from clipd.config import ENVIRONMENT_PREFIX, Config

HEADER = f"""\
# The settings of a clipd tree.
#
# Every key is shown with its value; delete what you do not change and the default holds. An environment variable
# overrules it ({ENVIRONMENT_PREFIX}WATCH__INTERVAL_SECONDS for watch.interval_seconds), and a flag overrules both.
# `clipd check` says whether this file is right; SIGHUP makes a running clipd read it again.
"""


def render(config: Config, *, root: bool = False) -> str:
    """`config` as YAML text; the `root` key only when asked (in a tree's own file, the root is the file's folder)."""
    body = _section(config, 0, leave_out=() if root else ("root",))
    return HEADER + "\n".join(body) + "\n"


def _section(section: BaseModel, depth: int, leave_out: tuple[str, ...] = ()) -> Iterator[str]:
    indent = "  " * depth
    for name, field in type(section).model_fields.items():
        if name in leave_out:
            continue
        value = getattr(section, name)
        if depth == 0 or isinstance(value, BaseModel):
            yield ""
        for line in textwrap.wrap(_comment(field, value), 116 - 2 * depth):
            yield f"{indent}# {line}"
        yield from (f"{indent}#   {line}" for line in _items(field))
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _section(value, depth + 1)
        else:
            yield f"{indent}{name}: {_scalar(value)}"


def _comment(field: FieldInfo, value: Any) -> str:
    words = field.description or ""
    extra = field.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    several = get_origin(field.annotation) is tuple
    choices = get_args(get_args(field.annotation)[0] if several else field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        words += f" {'Any' if several else 'One'} of: {', '.join(choices)}."
    return f"{words} [{unit}]" if unit and not isinstance(value, BaseModel) else words


def _items(field: FieldInfo) -> Iterator[str]:
    """What an entry of a list of sections may say, key by key."""
    item = get_args(field.annotation)[0] if get_origin(field.annotation) is tuple else None
    if isinstance(item, type) and issubclass(item, BaseModel):
        for name, part in item.model_fields.items():
            yield from textwrap.wrap(f"{name}: {_comment(part, None)}", 110, subsequent_indent="  ")


def _scalar(value: Any) -> str:
    if isinstance(value, ByteSize):
        return str(_plain(value))
    if isinstance(value, tuple | list | dict):
        return yaml.dump(
            _plain(value), Dumper=_Dumper, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
        ).strip()
    return yaml.dump(_plain(value), Dumper=_Dumper, width=10_000, allow_unicode=True).removesuffix("...\n").strip()


class _Dumper(yaml.SafeDumper):
    """Quotes also what only our reader (YAML 1.2) takes for a number, such as a camera called 1e3."""

    def _text(self, text: str) -> yaml.Node:
        try:
            float(text)
            style = "'"
        except ValueError:
            style = None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper._text)


def _plain(value: Any) -> Any:
    """`value` as YAML knows it. Secrets are written out: this file is where they are kept."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields if _is_set(value, name)}
        case ByteSize():
            words = value.human_readable() if value else "0"
            return words if TypeAdapter(ByteSize).validate_python(words) == value else int(value)
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case str() | int() | float() | None:
            return value
        case _:
            return str(value)


def _is_set(section: BaseModel, name: str) -> bool:
    return bool(getattr(section, name) != type(section).model_fields[name].default)
