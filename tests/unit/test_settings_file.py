"""The commented settings file says everything and reads back as it was, lists of sections and secrets included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clipd.config import Config, load
from clipd.errors import ConfigError
from clipd.settings_file import render

SECRET = "s3cr3t"
RICH: dict[str, Any] = {
    "hooks": [
        {"command": ["notify", "--", "{clip}", "it's: [odd]"], "on": ["failed"], "timeout_seconds": 5},
        {"webhook": f"https://u:{SECRET}@host.example/{SECRET}", "secret": SECRET, "retries": 0},
    ],
    "retention": {
        "dry_run": False,
        "rules": [{"formats": ["ffv1"], "larger_than": 536870912001}, {"older_than_days": 30}],
    },
    "schedule": {"windows": ["mon-fri 19:00-07:00"], "time_zone": "Europe/Berlin", "at_end": "stop"},
}


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "clipd.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("settings", [{}, RICH])
def test_what_is_written_reads_back_as_it_was(tmp_path: Path, settings: dict[str, Any]) -> None:
    config = Config(root=tmp_path, **settings)
    again = load(tmp_path, written(tmp_path, render(config)))
    assert again == config


@pytest.mark.parametrize(
    "word",
    ["1e3", "12E4", "-.5", "007", "0x10", "1_000", "12:30", "null", "~", "yes", "true", "", " ", "a: b", "#x", "@x",
     "- a", "a\nb", "it's", '"', "{a}", "*a", "é", "\u2028", "\x07", ",", "a,b"],
)  # fmt: skip
def test_a_text_reads_back_as_the_text_it_was_whatever_it_looks_like(tmp_path: Path, word: str) -> None:
    config = Config(root=tmp_path, cameras=(word, "x"), watch={"ignore": [word]}, directories={"source": word})
    assert load(tmp_path, written(tmp_path, render(config))) == config


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1500, 10**9, 2**30, 3 * 2**30 + 1, 10**15])
def test_a_size_reads_back_to_the_byte(tmp_path: Path, size: int) -> None:
    config = Config(root=tmp_path, space={"reserve": size})
    assert load(tmp_path, written(tmp_path, render(config))).space.reserve == size


def test_every_setting_is_shown_with_what_it_does_and_its_unit() -> None:
    lines = render(Config(), root=True).splitlines()
    for number, line in enumerate(lines):
        if ":" in line and not line.lstrip().startswith("#"):
            assert lines[number - 1].lstrip().startswith("# "), line
    text = " ".join(line.strip().removeprefix("# ") for line in lines)
    for words in ("root: .", "interval_seconds: 5.0", "memory: 4.0GiB", "[s]", "[bytes]"):
        assert words in text
    assert "One of: auto, events, polling." in text
    assert "Any of: h264, ffv1." in text


def test_the_example_is_what_the_defaults_amount_to() -> None:
    """Write it again with: python -c 'from clipd.config import *; from clipd.settings_file import render;
    print(render(Config(), root=True), end="")' > config/clipd.example.yaml
    """
    example = Path(__file__).parents[2] / "config" / "clipd.example.yaml"
    assert example.read_text() == render(Config(), root=True)


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "config" / "clipd.example.yaml"
    assert load(None, example) == load(example.parent, None)
    assert load(tmp_path, example) == load(tmp_path, None)


def test_flags_leave_secrets_as_they_are(tmp_path: Path) -> None:
    file = written(tmp_path, render(Config(root=tmp_path, **RICH)))
    config = load(tmp_path, file, {"watch": {"interval_seconds": 3}})
    assert config.hooks == Config(root=tmp_path, **RICH).hooks


def test_an_entry_of_a_list_is_explained_key_by_key() -> None:
    text = render(Config(root=Path()))
    for words in ("#   webhook: ", "#   older_than_days: ", "#   timeout_seconds: How long one try may take. [s]"):
        assert words in text


def test_no_secret_is_shown(tmp_path: Path) -> None:
    config = Config(root=tmp_path, **RICH)
    assert SECRET not in f"{config!r} {config} {config.model_dump()} {config.model_dump_json()}"


@pytest.mark.parametrize(
    "hook",
    [
        f"{{webhook: 'ftp://{SECRET}'}}",
        f"{{secret: {SECRET}}}",
        f"{{webhook: 'http://x', secret: [{SECRET}]}}",
        f"{{webhook: 'http://x', secrte: {SECRET}}}",
        f"{{command: [a, '{{{SECRET.replace('3', 'e')}}}'], secret: {SECRET}}}",
        SECRET,
        f"{{apprise: {SECRET}}}",
        f"{{apprise: 'mailto://{SECRET}', webhook: 'https://{SECRET}'}}",
    ],
)
def test_an_error_names_the_place_and_repeats_no_secret(
    tmp_path: Path, hook: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="line 2: hooks") as error:
        load(tmp_path, written(tmp_path, f"hooks:\n  - {hook}\n"))
    assert SECRET not in str(error.value)
    monkeypatch.setenv("CLIPD_HOOKS", f'[{{"webhook": "ftp://{SECRET}"}}]')
    with pytest.raises(ConfigError, match="CLIPD_HOOKS") as error:
        load(tmp_path, None)
    assert SECRET not in str(error.value)
