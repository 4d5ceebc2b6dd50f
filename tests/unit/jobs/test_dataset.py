"""What a note may say of a table, and what the administrator's settings allow it to name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from clipd.errors import Rejected
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.dataset import Order, Settings, recipe_of, understood
from clipd.jobs.rows import FUNCTIONS
from clipd.jobs.rows.function import Means
from clipd.media.door import Limits

MEANS = Means(Limits(), ClipSettings(), None, 1)


def test_nothing_said_is_the_defaults() -> None:
    order = understood({})
    assert order == Order()
    assert (order.columns.video, order.columns.id, order.columns.start) == ("video_path", None, "start")
    assert recipe_of(order, Settings(), MEANS).name == "extract_keyframes"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"proces": "metadata"}, "there is no key 'proces'; there are video_col"),
        ({"save_interval": 0}, "save_interval = 0: "),
        ({"arguments": 3}, "arguments = 3: "),
        ({"output_dir": "../x"}, "may begin with a dot"),
        ({"output_dir": "a/../../x"}, "may begin with a dot"),
        ({"output_dir": ".clipd-staging"}, "may begin with a dot"),
        ({"output_dir": "/etc"}, "write a folder below"),
        ({"output_dir": ""}, "write a folder below"),
        ({"output_dir": "a\n"}, "write a folder below"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(content: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected) as told:
        understood(content)
    assert words in str(told.value)


def test_a_folder_is_written_plainly() -> None:
    assert understood({"output_dir": "lab//set 1/"}).output_dir == "lab/set 1"


@pytest.mark.parametrize("name", ["os:system", "json.loads", "faces", ""])
def test_only_functions_of_the_table_and_of_the_settings_are_named(name: str) -> None:
    with pytest.raises(Rejected, match="the administrator can allow more"):
        recipe_of(Order(process=name), Settings(), MEANS)


def test_a_function_of_the_settings_runs_under_its_name_there() -> None:
    settings = Settings(functions={"load": "json:loads"})
    made = recipe_of(Order(process="load", arguments={}), settings, MEANS)
    assert callable(made.function)
    with pytest.raises(Rejected, match="cannot be loaded"):
        recipe_of(Order(process="x"), Settings(functions={"x": "no.such.module:f"}), MEANS)


@pytest.mark.parametrize(
    "functions", [{"a": "os.system"}, {"a": "x:"}, {"a": "../x:f"}, {next(iter(FUNCTIONS)): "a:b"}]
)
def test_settings_name_functions_well(functions: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(functions=functions)
