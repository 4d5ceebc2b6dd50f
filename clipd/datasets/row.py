"""A row, understood: which video, which span and crop of it, and who the row is.

A row is known by its id, or, where no column of ids is named, by its content: the hash of all its values. Whether it
was done already is decided by a fingerprint over all that decides its result.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from clipd.datasets.table import RawRow
from clipd.errors import Rejected
from clipd.files import jsontext
from clipd.files.document import NotADocument
from clipd.media.index import FrameIndex
from clipd.model.crop import CropPath, Rect
from clipd.model.setting import Section, setting
from clipd.model.timespan import FrameSpan, TimeSpan, parse_seconds

LAST_FRAME = 10**9
"""A year of video at 30 frames a second; larger numbers are slips."""
LAST_PIXEL = 10**6
NAME_CHARACTERS = 80
"""How much of an id a folder's name shows; with the hash behind it, it stays below 255 bytes in any script."""

_PLAIN_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*(?<!\.)", re.ASCII)
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.ASCII)
_UNFIT = re.compile(r"[^\w.\-]+|^[.\-]+")
_ENCODER = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":"))
_NUMBER = re.compile(r"[-+]?\d{1,9}(?:\.\d{1,9})?", re.ASCII)


class Columns(Section):
    """Which columns say what. Only `video` must be there."""

    video: str = setting("video_path", "The column with the path of the video.")
    id: str | None = setting(
        None, "The column with a name for each row that occurs once; null: rows are their content."
    )
    start: str | None = setting("start", "Where the row's span starts: seconds or HH:MM:SS.mmm.")
    end: str | None = setting("end", "Where it ends; the frame shown then no longer belongs to it.")
    start_frame: str | None = setting("start_frame", "Instead: its first frame, counted from 0.")
    end_frame: str | None = setting("end_frame", "Its last frame, included.")
    crop: str | None = setting("crop", "x,y,width,height in pixels, or keyframes as in a sidecar.")

    def without_spans(self) -> Columns:
        """The same, with columns called `start` and so on meaning nothing."""
        return self.model_copy(update=dict.fromkeys(("start", "end", "start_frame", "end_frame", "crop")))


@dataclass(frozen=True)
class Span:
    """The part of a video that a row names; None where it names no bound. Frames or seconds, not both."""

    start: Fraction | None = None
    end: Fraction | None = None
    first: int | None = None
    last: int | None = None

    def within(self, index: FrameIndex) -> FrameSpan:
        """The span in frames of the file of `index`.

        Raises:
            Rejected: the file does not hold it.
        """
        try:
            if self.start is not None or self.end is not None:
                start = self.start or Fraction(0)
                end, length = self.end, index.time(index.count)
                if end is None:
                    # Where it begins after the end, the index says so.
                    end = length if start < length else start + 1
                return index.span(TimeSpan(start, end))
            first = self.first or 0
            return index.span(FrameSpan(first, max(index.count - 1, first) if self.last is None else self.last))
        except ValueError as error:
            raise Rejected(str(error)) from None


WHOLE = Span()


@dataclass(frozen=True)
class Row:
    """One row that can be worked on, or, with a `fault`, one that cannot.

    `values` are plain JSON values, as they stand in the table.
    """

    number: int
    line: int
    key: str
    """Who the row is: the same in every run, and in every order of the table."""
    id: str | None
    video: str
    """The path as it is written."""
    place: str
    """The path of the file that it means, links not followed yet."""
    beneath: Path | None
    """The folder that the file must lie in, or None for anywhere."""
    span: Span
    crop: CropPath | None
    values: Mapping[str, Any]
    fault: str = ""
    is_repeated: bool = False
    """Is its fault that another row of the same key stands before it?"""

    @property
    def path(self) -> Path:
        """The file that it means, all links followed; it need not exist.

        Raises:
            Rejected: it lies outside of `beneath`.
        """
        path = Path(os.path.realpath(self.place))
        if self.beneath is not None and not path.is_relative_to(os.path.realpath(self.beneath)):
            raise Rejected(f"{self.video!r} leads out of the tree through a link; put the video itself there")
        return path

    @property
    def folder(self) -> str:
        """The name of the folder for this row's files."""
        return folder_name(self.id if self.id is not None else f"{PurePosixPath(self.video).stem}\0{self.key}")


def understand(raw: RawRow, columns: Columns, base: Path, beneath: Path | None, roots: Sequence[Path] = ()) -> Row:
    """The row that `raw` means; what is wrong with it is its `fault`.

    Args:
        raw: as it stands in the table.
        columns: which columns say what.
        base: the folder that relative paths count from.
        beneath: the folder that every video must lie in, or None for anywhere.
        roots: in place of both, folders that paths count from: the first that has the video, which must lie in it.
    """
    video = _text(raw.values.get(columns.video))
    name = None if columns.id is None else _text(raw.values.get(columns.id))
    try:
        if raw.fault:
            raise ValueError(raw.fault)
        if columns.id is not None and not name:
            raise ValueError(f"the column {columns.id} is empty; each row needs an id of its own")
        place, inside = _place(video, columns.video, base, beneath, roots)
        return Row(
            raw.number,
            raw.line,
            _key(raw, name),
            name,
            video,
            place,
            inside,
            _span(raw.values, columns),
            _crop(raw.values.get(columns.crop) if columns.crop else None),
            raw.values,
        )
    except ValueError as error:
        key = _key(raw, name) if raw.values and (name or columns.id is None) else f"line:{raw.line}"
        return Row(raw.number, raw.line, key, name or None, video, "", beneath, WHOLE, None, raw.values, str(error))


def fingerprint(row: Row, recipe: str) -> str:
    """A hash of all that decides the row's result: its values, the work (`recipe`), and the look of its source."""
    look: list[int] = []
    if not row.fault:
        try:
            seen = os.stat(row.place)  # noqa: PTH116 - a million times
            look = [seen.st_size, seen.st_mtime_ns]
        except OSError:
            look = []
    facts = [dict(row.values), row.fault, look, recipe]
    return hashlib.sha256(_canonical(facts)).hexdigest()[:32]


def folder_name(identity: str) -> str:
    """A file name for `identity`: itself where it is plain lower case, else what fits of it, `~`, and its hash.

    No two identities get the same, also where case does not matter or Unicode is normalised, for plain names hold no
    `~`.
    """
    is_short = len(identity) <= NAME_CHARACTERS
    if is_short and _PLAIN_NAME.fullmatch(identity) and not _RESERVED.fullmatch(identity):
        return identity
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    shown = _UNFIT.sub("-", identity.partition("\0")[0])
    # In bytes: most scripts take three for a character.
    shown = shown.encode("utf-8", "ignore")[:NAME_CHARACTERS].decode("utf-8", "ignore").strip("-. ")
    return f"{shown or 'row'}~{digest}"


def _place(
    written: str, column: str, base: Path, beneath: Path | None, roots: Sequence[Path]
) -> tuple[str, Path | None]:
    """The path of the file that is meant, and the folder that it must lie in."""
    if not written:
        raise ValueError(f"the column {column} is empty; it names the video")
    if "\0" in written:
        raise ValueError(f"the column {column} holds a zero byte; it names the video")
    if (roots or beneath is not None) and (written.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", written)):
        raise ValueError(f"{written!r} leaves the tree; name a video by a relative path without '..'")
    # os.path: a million times, and ten times faster.
    places = [(os.path.join(root, written), root) for root in roots]  # noqa: PTH118
    if not places:
        return os.path.join(base, written), beneath  # noqa: PTH118
    return next((place for place in places if os.path.lexists(place[0])), places[0])


def _key(raw: RawRow, name: str | None) -> str:
    return f"id:{name}" if name else f"row:{hashlib.sha256(_canonical(dict(raw.values))).hexdigest()[:32]}"


def _canonical(value: Any) -> bytes:
    return _ENCODER.encode(value).encode()


def _text(value: Any) -> str:
    if value is None or isinstance(value, list | dict):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value == int(value):
        # Parquet of a column of numbers with gaps.
        return str(int(value))
    return str(value).strip()


def _span(values: Mapping[str, Any], columns: Columns) -> Span:
    times = [_time(values, columns.start), _time(values, columns.end)]
    frames = [_frame(values, columns.start_frame), _frame(values, columns.end_frame)]
    if any(time is not None for time in times) and any(frame is not None for frame in frames):
        raise ValueError("the row names a span in seconds and in frames; leave one of them empty")
    start, end = times
    first, last = frames
    if end is not None and end <= (start or 0):
        raise ValueError(f"the span ends at {float(end):.3f} s, not after its start at {float(start or 0):.3f} s")
    if last is not None and last < (first or 0):
        raise ValueError(f"the span ends at frame {last}, before its start at frame {first or 0}")
    return Span(start, end, first, last)


def _time(values: Mapping[str, Any], column: str | None) -> Fraction | None:
    value = values.get(column) if column else None
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{column} is {value!r}; write seconds (12.5) or HH:MM:SS.mmm")
    try:
        return parse_seconds(value)
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def _frame(values: Mapping[str, Any], column: str | None) -> int | None:
    value = values.get(column) if column else None
    if value is None or value == "":
        return None
    text = _text(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 11):
        raise ValueError(f"{column} is {value!r}; write a whole number of frames from 0, such as 250")
    if int(text) > LAST_FRAME:
        raise ValueError(f"{column} is {value!r}; at most {LAST_FRAME:,} frames are counted")
    return int(text)


def _crop(value: Any) -> CropPath | None:
    """The crop that a cell names: `x,y,width,height`, a JSON list of four, or keyframes {"frame": [four]}."""
    if isinstance(value, str):
        text = value.strip()
        value = _parsed(text) if text[:1] in ("{", "[") else re.split(r"[\s,;x]+", text) if text else None
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, list):
        return CropPath(((0, _rect(value)),))
    if not isinstance(value, dict):
        raise ValueError(f"crop is {value!r}; write x,y,width,height in pixels, such as 100,50,640,480")
    keyframes = []
    for frame, rect in value.items():
        if not (frame.isascii() and frame.isdigit() and len(frame) < 11 and int(frame) <= LAST_FRAME):
            raise ValueError(f"crop: {frame!r} is no frame number")
        keyframes.append((int(frame), _rect(rect)))
    return CropPath(tuple(sorted(keyframes)))


def _rect(value: Any) -> Rect:
    numbers = [str(part).strip() for part in value] if isinstance(value, list) else []
    if len(numbers) != 4 or not all(_NUMBER.fullmatch(number) for number in numbers):
        raise ValueError(f"crop {value!r} is no rectangle; write x,y,width,height in pixels, such as 100,50,640,480")
    x, y, width, height = (round(float(number)) for number in numbers)
    if max(abs(x), abs(y), width, height) > LAST_PIXEL:
        raise ValueError(f"crop {value!r} is larger than any picture")
    return Rect(x, y, width, height)


def _parsed(text: str) -> Any:
    try:
        return jsontext.parse(text)
    except NotADocument as error:
        raise ValueError(f"crop is no JSON: {error}") from None
