"""The README keeps its word: its commands parse, its settings exist, its links lead somewhere, its examples run."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import json
import os
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer
from pydantic import BaseModel
from typer.main import get_command

import clipd.cli
from clipd.cli.app import app
from clipd.config import ENVIRONMENT_PREFIX, Config
from clipd.files import yamltext
from clipd.tree import sidecar as sidecars
from clipd.tree.clip_entry import ClipEntry
from tests.e2e.tree import Tree
from tests.footage import make as draw

UsageError: type[Exception] = typer.BadParameter.__mro__[1]

HERE = Path(__file__).parents[2]
README = (HERE / "README.md").read_text(encoding="utf-8")

for module in pkgutil.iter_modules(clipd.cli.__path__):
    importlib.import_module(f"clipd.cli.{module.name}")  # each adds its commands to `app`

FENCES = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
INDENTED = [
    line.strip() for line in re.findall(r"^    (?! )[^\n]+", re.sub(r"```.*?```", "", README, flags=re.DOTALL), re.M)
]
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))


def blocks(language: str) -> list[str]:
    return [text for kind, text in FENCES if kind == language]


def block(language: str, holds: str) -> str:
    (text,) = [text for text in blocks(language) if holds in text]
    return text


def shown_commands() -> Iterator[str]:
    """What stands after `clipd ` wherever the README shows a whole command line."""
    console = [line[2:] for text in blocks("console") for line in text.splitlines() if line.startswith("$ ")]
    for line in (*console, *INDENTED):
        for part in re.split(r"&&|\|", line):
            words = part.strip()
            found = re.match(r"(?:.*-- )?(?:\S*/)?clipd (.+)", words)
            if found and not words.startswith(("pip", "mkdir", "cp", "python")):
                yield found[1]


def named_commands() -> Iterator[str]:
    """The commands that the text names, perhaps without their arguments."""
    return (code.removeprefix("clipd ") for code in INLINE if code.startswith("clipd "))


def parsed(words: str) -> str:
    """Parses the words as the command line would, without running anything; the name of the command."""
    group: Any = get_command(app)
    name, *rest = shlex.split(words)
    group.commands[name].make_context(name, rest)
    return str(name)


@pytest.mark.parametrize("words", [*dict.fromkeys(shown_commands())])
def test_every_command_line_parses(words: str) -> None:
    assert parsed(words)


@pytest.mark.parametrize("words", [*dict.fromkeys(named_commands())])
def test_every_command_that_is_named_exists(words: str) -> None:
    try:
        parsed(words)
    except UsageError as error:
        assert "Missing" in str(error), words  # noqa: PT017 - it may also not be raised


def test_every_command_and_flag_is_documented() -> None:
    group: Any = get_command(app)
    reference = README.partition("## Commands")[2].partition("\n## ")[0]
    for name, command in group.commands.items():
        assert f"`clipd {name}" in reference
        for flag in (option for parameter in command.params for option in parameter.opts if option.startswith("--")):
            assert re.search(rf"`?{flag}\b", reference), f"clipd {name} {flag}"


def test_the_classic_script_takes_the_flags_that_are_shown() -> None:
    (line,) = [line for line in INDENTED if "process_clips.py" in line]
    spec = importlib.util.spec_from_file_location("process_clips", HERE / "scripts" / "process_clips.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    given = script.arguments().parse_args(shlex.split(line.partition("process_clips.py ")[2]))
    assert given.daemon


def model_at(path: list[str]) -> Any:
    """The type of the setting that a dotted name leads to."""
    model: Any = Config
    for part in path:
        if get_origin(model) is tuple:
            model = get_args(model)[0]
        assert issubclass(model, BaseModel), ".".join(path)
        assert part in model.model_fields, f"there is no setting {'.'.join(path)}"
        model = model.model_fields[part].annotation
    return model


def named_settings() -> list[str]:
    sections = set(Config.model_fields)
    dotted = [code for code in INLINE if re.fullmatch(r"[a-z_0-9]+(\.[a-z_0-9]+)+", code)]
    return [*dict.fromkeys(code for code in dotted if code.partition(".")[0] in sections)]


@pytest.mark.parametrize("name", named_settings())
def test_every_setting_that_is_named_exists(name: str) -> None:
    model_at(name.split("."))


def test_the_table_of_settings_has_a_row_for_every_section_and_top_key() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    for name in Config.model_fields:
        assert f"`{name}" in table, name


@pytest.mark.parametrize("text", blocks("yaml"))
def test_settings_that_are_shown_are_valid(text: str) -> None:
    Config(**yamltext.load(text.encode()))


@pytest.mark.parametrize("name", sorted(set(re.findall(rf"{ENVIRONMENT_PREFIX}[A-Z_]+", README))))
def test_variables_that_are_named_exist(name: str) -> None:
    if name not in ("CLIPD_TEST_MEDIA", "CLIPD_STATUS"):
        model_at(name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"))


def test_extras_that_are_named_exist() -> None:
    extras = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"'\.\[(\w+)\]'", README)) <= set(extras)


def anchors() -> set[str]:
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", README, flags=re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    if target.startswith("#"):
        assert target[1:] in anchors()
    else:
        assert (HERE / target).exists()


@pytest.mark.parametrize(
    "path", sorted({code for code in INLINE if re.fullmatch(r"(clipd|tests|scripts|config|systemd)/[\w./]*", code)})
)
def test_files_that_are_named_exist(path: str) -> None:
    assert (HERE / path).exists()


def test_names_in_the_table_of_what_to_add_stand_where_it_says() -> None:
    table = README.partition("## Where do I add")[2].partition("\n## ")[0]
    for name, path in re.findall(r"`([A-Z]\w+)` in `(clipd/[\w/]+\.py)`", table):
        assert (
            re.search(rf"^(class )?{name}\b", (HERE / path).read_text(), re.M)
            or f"    {name} = " in (HERE / path).read_text()
        )


def test_every_field_of_a_clip_is_documented() -> None:
    table = README.partition("## The sidecar")[2].partition("\n## ")[0]
    assert {name for name in ClipEntry.model_fields if f"`{name}`" not in table} == set()


def test_the_sidecar_that_is_shown_is_a_good_one() -> None:
    entries = sidecars.parse(block("json", '"goal_1"').encode()).entries
    assert [entry.clip().name for entry in entries] == ["goal_1", "celebration"]


def keys(value: Any, above: str = "") -> Iterator[str]:
    """The dotted names of all keys in a JSON value; entries of a list count as one."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{above}{name}"
            yield from keys(part, f"{above}{name}.")
    elif isinstance(value, list):
        for part in value:
            yield from keys(part, above)


def test_the_truth_sheet_is_as_shown_and_the_custom_processing_runs(tmp_path: Path) -> None:
    settings = yamltext.load(block("yaml", "processor:").encode())
    code = block("python", "def measure(")
    package = tmp_path / "own" / "clubtools"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "motion.py").write_text(code)
    tree = Tree.at(tmp_path / "tree", settings)
    film = draw(tmp_path / "film.mp4", count=40, size=(160, 96))
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([{"name": "a", "start_frame": 10, "end_frame": 30, "status": "Process",
                                   "crop_keyframes": {"0": [10, 10, 101, 51]}}])  # fmt: skip
    environment = {"PYTHONPATH": os.pathsep.join((str(package.parent), os.environ.get("PYTHONPATH", "")))}
    assert tree.run("check", expect=None, **environment).returncode == 0
    tree.run("run", "--once", **environment)
    folder = tree.layout.outputs
    with (folder / "ffv1/cam1/s1/match_a_motion.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(10, 31))
    assert float(rows[0]["motion"]) == 0 < float(rows[1]["motion"])
    assert [Path(path).name for path in tree.clip(sidecar, "a")["export_path"]] == ["match_a.mp4", "match_a_motion.csv"]

    sheet = json.loads((folder / "h264/cam1/s1/match_a.json").read_text())
    shown = json.loads(block("json", '"sha256"'))
    codec_only = {"output.codec_settings.level", "output.codec_settings.slices", "output.codec_settings.slicecrc"}
    assert set(keys(shown)) - set(keys(sheet)) <= codec_only
    (warning,) = shown["warnings"]
    assert warning in sheet["warnings"]
