"""Datasets of the inbox: what people may say of a table, the settings, and what both together mean.

A note may name functions of the table `FUNCTIONS`, and those that the daemon's own settings allow; never any other
code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError, field_validator

from clipd.datasets.row import Columns
from clipd.errors import Rejected
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.rows import FUNCTIONS
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.recipe import Recipe, load, recipe
from clipd.model.setting import Section, setting


class Settings(Section):
    """Datasets that are dropped into the inbox."""

    rows_per_job: int = setting(
        200,
        "Rows that one job works on: fewer spread a dataset over more workers, more cost less beside the rows.",
        unit="rows",
        ge=1,
        le=100_000,
    )
    functions: dict[str, str] = setting(
        {}, "Functions of your own that a dataset may name as its process, such as {faces: 'lab.faces:find'}."
    )
    note_seconds: float = setting(
        10.0,
        "How long a table whose columns do not fit waits for the note beside it before it has failed.",
        unit="s",
        ge=0,
    )

    @field_validator("functions")
    @classmethod
    def _named_well(cls, functions: dict[str, str]) -> dict[str, str]:
        for name, place in functions.items():
            module, colon, function = place.partition(":")
            if not (colon and function.isidentifier() and all(map(str.isidentifier, module.split(".")))):
                raise ValueError(f"{name}: {place!r} names no function; write package.module:function")
            if name in FUNCTIONS:
                raise ValueError(f"{name} is a function of clipd's own; give yours another name")
        return functions


class Tables(Section):
    """All settings that datasets are worked on by, put together by the daemon; in no settings file of its own."""

    datasets: Settings = setting(Settings(), "How datasets are worked on.")
    clips: ClipSettings = setting(ClipSettings(), "How clips of rows are made.")
    share_offset: float = setting(0.0, "The share's clock minus this machine's.", unit="s")


class Order(Section):
    """What the note beside a table says."""

    video_col: str = setting("video_path", "The column with the path of the video.")
    id_col: str | None = setting(None, "The column that names each row; without it a row is known by its content.")
    process: str = setting("extract_keyframes", "What is done with each row.")
    arguments: dict[str, Any] = setting({}, "Settings of that function.")
    save_interval: int | None = setting(None, "Rows after which the answer tells how far it is.", ge=1, le=100_000)
    output_dir: str | None = setting(None, "Where everything goes, below the outputs tree.")
    use_spans: bool = setting(True, "Do columns called start, end, start_frame, end_frame and crop name parts?")
    retry_failed: bool = setting(False, "Are rows that failed before tried again, though they did not change?")
    force: bool = setting(False, "Is every row done again, also one that has a result?")
    priority: int = setting(-1, "Rows of a higher number come first; clips and requests have 0.")

    @field_validator("output_dir")
    @classmethod
    def _below_the_outputs(cls, written: str | None) -> str | None:
        if written is None:
            return None
        parts = PurePosixPath(written).parts
        if not parts or parts[0] == "/" or "\\" in written or not written.isprintable():
            raise ValueError("write a folder below the outputs tree, such as lab/keyframes")
        if any(part.startswith(".") for part in parts):
            raise ValueError("no part of it may begin with a dot; write a folder below the outputs tree")
        return "/".join(parts)

    @property
    def columns(self) -> Columns:
        """Which columns say what."""
        columns = Columns(video=self.video_col, id=self.id_col)
        return columns if self.use_spans else columns.without_spans()


def understood(content: Mapping[str, Any]) -> Order:
    """What a note says.

    Raises:
        Rejected: a key or value is wrong; the words name it and what would be right.
    """
    try:
        return Order.model_validate(dict(content))
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            raise Rejected(f"there is no key {name!r}; there are {', '.join(Order.model_fields)}") from None
        words = str(problem["msg"]).removeprefix("Value error, ")
        raise Rejected(f"{name} = {problem['input']!r}: {words[:1].lower()}{words[1:]}") from None


def recipe_of(order: Order, settings: Settings, means: Means) -> Recipe:
    """What is done with each row.

    Raises:
        Rejected: there is no such function here, it cannot be loaded, or an argument does not fit.
    """
    if order.process in FUNCTIONS:
        return recipe(order.process, order.arguments, means)
    if order.process in settings.functions:
        return recipe(load(settings.functions[order.process]), order.arguments, means)
    known = ", ".join((*FUNCTIONS, *settings.functions))
    raise Rejected(
        f"process: there is no function {order.process!r}; there are {known}, and the administrator can allow more "
        "(datasets.functions)"
    )
