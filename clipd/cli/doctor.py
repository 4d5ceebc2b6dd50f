"""`clipd doctor`: will clipd run well here, and if not, what is the mend?"""

from __future__ import annotations

import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer
from loguru import logger
from pydantic import BaseModel

from clipd.cli.app import STYLES, ConfigFile, Root, app, counted, out, say
from clipd.config import ENVIRONMENT_PREFIX, Config, find, load
from clipd.errors import ConfigError
from clipd.log import plain
from clipd.report.doctor import examine
from clipd.report.doctor.finding import Examination, Finding, Level, Patient
from clipd.tree.layout import Directories, Layout

WIDEST = 100
PIPED = 80
MARGIN = " " * 10


@app.command()
def doctor(
    root: Root = None,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Examine software, codecs, settings, folders, share and machine; names the mend of what is wrong.

    Writes nothing but temporary dot-files, removed again. The exit code is 1 when something is wrong.
    """
    logger.remove()  # what the parts would log is told as findings
    patient = admit(root, config)
    findings: list[tuple[Examination, Finding]] = []
    for examination, finding in examine(patient):
        if not as_json:
            _show(examination, finding, findings[-1][0] if findings else None)
        findings.append((examination, finding))
    levels = Counter(finding.level for _, finding in findings)
    if as_json:
        entries = [{"examination": examination.name, **asdict(finding)} for examination, finding in findings]
        out.print_json(json.dumps({"levels": {level: levels[level] for level in Level}, "findings": entries}))
    else:
        parts = (f"{levels[Level.OK]} ok", *(counted(levels[x], x) for x in (Level.NOTE, Level.WARNING)))
        say("")
        say(f"{', '.join(parts)}, {levels[Level.WRONG]} wrong", _style_of(levels))
    raise typer.Exit(1 if levels[Level.WRONG] else 0)


def admit(root: Path | None, config: Path | None) -> Patient:
    """The tree that is meant, with its settings, or with the reason why they cannot be read."""
    applied, unknown = variables(os.environ)
    trouble, file = "", config
    try:
        found, file = find(root, config)
        settings = load(found, file)
    except ConfigError as error:
        trouble = str(error)
        here = (root or Path.cwd()).absolute()
        layout, cache = Layout(here, Directories()), here
        return Patient(layout, cache, file, trouble, applied, unknown)
    return Patient(
        layout=Layout(settings.root, settings.directories),
        cache=settings.cache_folder,
        settings_file=file,
        variables=applied,
        unknown_variables=unknown,
        watch=settings.watch,
        workers=settings.workers,
        claims=settings.claims,
        space=settings.space,
        clips=settings.clips,
        schedule=settings.schedule,
        destinations=settings.destinations,
        links=settings.links,
    )


def variables(environment: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The names in `environment` that are settings, and those that only look so, with the one that may be meant."""
    known = tuple(ENVIRONMENT_PREFIX + "__".join(path).upper() for path in _settings(Config, ()))
    applied, unknown = [], {}
    for name in sorted(environment):
        if not name.upper().startswith(ENVIRONMENT_PREFIX):
            continue
        if any(name.upper() == one or name.upper().startswith(f"{one}__") for one in known):
            applied.append(name)
        else:
            unknown[name] = next(iter(get_close_matches(name.upper(), known, n=1, cutoff=0.8)), "")
    return tuple(applied), unknown


def _settings(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inside: Any = field.annotation
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            yield from _settings(inside, (*path, name))
        else:
            yield (*path, name)


def _show(examination: Examination, finding: Finding, former: Examination | None) -> None:
    """One finding, under the title of its group where that is a new one."""
    if former is None or former.group != examination.group:
        if former is not None:
            say("")
        say(examination.group, "bold")
    out.print(f"  {finding.level:<7} ", style=STYLES[finding.level], end="")
    first, *rest = _wrapped(f"{finding.where}: {finding.words}")
    say(first.lstrip())
    for line in rest:
        say(line)
    for line in _wrapped(f"mend: {finding.mend}") if finding.mend else ():
        say(line, "dim")


def _wrapped(text: str) -> list[str]:
    width = min(out.width, WIDEST) if out.is_terminal else PIPED
    return textwrap.wrap(
        plain(text), width, initial_indent=MARGIN, subsequent_indent=MARGIN, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _style_of(levels: Mapping[Level, int]) -> str:
    return next((STYLES[level] for level in reversed(Level) if levels[level]), "green")
