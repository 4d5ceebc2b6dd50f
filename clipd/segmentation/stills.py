"""Stills: JPEG pictures as parts of a page, kept within a budget of bytes so that the page opens anywhere."""

from __future__ import annotations

import base64
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, TypeVar

import cv2
import numpy as np

STEPS: Final = ((320, 80), (320, 60), (240, 60), (160, 60), (120, 50))
"""Width in pixels and JPEG quality that are tried in turn, until the pictures fit."""

Key = TypeVar("Key", bound=Hashable)


def fitted(pictures: Mapping[Key, bytes], most_bytes: int) -> dict[Key, bytes]:
    """`pictures` as they are, or made smaller by the first of the steps that fits; if none does, the last ones are left
    out. What cannot be decoded is left out too.
    """
    found = {key: jpeg for key, jpeg in pictures.items() if size(jpeg) is not None}
    for width, quality in STEPS:
        if _total(found) <= most_bytes:
            return found
        found = {key: _smaller(pictures[key], width, quality) for key in found}
    while _total(found) > most_bytes:
        found.popitem()
    return found


def spread(strip: Sequence[tuple[float, bytes]], most: int, most_bytes: int) -> list[tuple[float, bytes]]:
    """Evenly chosen pictures of a film strip: at most so many, and so many bytes."""
    whole = [(seconds, jpeg) for seconds, jpeg in sorted(strip, key=lambda one: one[0]) if size(jpeg) is not None]
    average = sum(len(jpeg) for _, jpeg in whole) / max(1, len(whole))
    count = min(len(whole), most, int(most_bytes / average) if average else 0)
    return [whole[(2 * n + 1) * len(whole) // (2 * count)] for n in range(count)]


def size(jpeg: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for what is no picture."""
    picture = _decoded(jpeg)
    return None if picture is None else (picture.shape[1], picture.shape[0])


def data_url(jpeg: bytes) -> str:
    """The picture itself, as an address."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _total(pictures: Mapping[Key, bytes]) -> int:
    return sum(map(len, pictures.values()))


def _smaller(jpeg: bytes, width: int, quality: int) -> bytes:
    picture = _decoded(jpeg)
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    if width < picture.shape[1]:
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _decoded(jpeg: bytes) -> Any:
    """(H, W, 3) uint8, or None."""
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
