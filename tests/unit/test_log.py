"""The log: one line a step, whatever is in a name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from clipd.config import load
from clipd.errors import ConfigError
from clipd.log import Settings, plain, start


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    yield
    logger.remove()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("match / goal", "match / goal"),
        ("試合 'été' \"1\"", "試合 'été' \"1\""),
        ("a\nERROR forged", "a\\nERROR forged"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u202eevil", "\\u202eevil"),
        ("a\u2028b\x00", "a\\u2028b\\x00"),
        ("caf\udce9", "caf\\udce9"),
        ("{} {0} {x}", "{} {0} {x}"),
        ("", ""),
    ],
)
def test_a_text_is_one_line_that_steers_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


def lines(tmp_path: Path, settings: Settings) -> list[str]:
    """What three steps look like in the log file."""
    start(settings, tmp_path)
    logger.debug("too fine")
    logger.info("claimed: {}", "odd\nINFO name \x1b[2J {x} caf\udce9")
    with logger.contextualize(job="7f3a"):
        logger.warning("waiting: disk full")
    logger.complete()
    assert settings.file is not None
    return (tmp_path / settings.file).read_text("utf-8").splitlines()


def test_a_step_is_a_line_with_its_time_its_level_and_its_job(tmp_path: Path) -> None:
    first, second = lines(tmp_path, Settings(file="logs/clipd.log"))
    assert first.split(maxsplit=4)[2:] == ["INFO", "-", "claimed: odd\\nINFO name \\x1b[2J {x} caf\\udce9"]
    assert second.split(maxsplit=4)[2:] == ["WARNING", "7f3a", "waiting: disk full"]


def test_the_level_says_how_much_is_written(tmp_path: Path) -> None:
    assert len(lines(tmp_path, Settings(file="a.log", level="WARNING"))) == 1
    assert len(lines(tmp_path, Settings(file="b.log", level="DEBUG"))) == 3


def test_json_lines_are_json(tmp_path: Path) -> None:
    _, second = (json.loads(line) for line in lines(tmp_path, Settings(file="clipd.log", json_lines=True)))
    assert second["record"]["message"] == "waiting: disk full"
    assert second["record"]["extra"]["job"] == "7f3a"


def test_the_console_has_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines(tmp_path, Settings(file="clipd.log"))
    assert capsys.readouterr().err.count("\n") == 2


def test_starting_again_replaces_the_former_destinations(tmp_path: Path) -> None:
    lines(tmp_path, Settings(file="a.log"))
    lines(tmp_path, Settings(file="b.log"))
    assert len((tmp_path / "a.log").read_text().splitlines()) == 2


def test_several_processes_write_to_one_file(tmp_path: Path) -> None:
    lines(tmp_path, Settings(file="clipd.log"))
    start(Settings(file="clipd.log"), tmp_path, rotates=False)
    logger.info("a worker")
    assert len((tmp_path / "clipd.log").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "rotation", ["20 MB", "512KiB", "1.5 GB", "100 b", "1 day", "2 weeks", "30 minutes", "1 month"]
)
def test_rotations_that_the_settings_take_the_log_takes_too(tmp_path: Path, rotation: str) -> None:
    start(Settings(file="clipd.log", rotation=rotation), tmp_path)
    logger.info("a line")


@pytest.mark.parametrize("rotation", ["soon", "20", "MB", "-1 MB", "1 fortnight", ""])
def test_a_rotation_that_is_none_is_refused_with_the_settings(tmp_path: Path, rotation: str) -> None:
    (tmp_path / "clipd.yaml").write_text(f"log:\n  rotation: '{rotation}'\n")
    with pytest.raises(ConfigError, match=r"line 2: log.rotation"):
        load(None, tmp_path / "clipd.yaml")
