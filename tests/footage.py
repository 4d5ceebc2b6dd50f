"""Media for tests: where the real footage lies, and odd files made on the spot."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

REAL = (
    "docutils_pens.mp4",
    "forensics_VID_20191220_170832.mp4",
    "intel_car-detection.mp4",
    "intel_one-by-one-person-detection.mp4",
    "mapillary_sample-5s_h265.mp4",
    "mdn_flower.mp4",
    "mdn_friday.mp4",
    "mdnshared_tears-of-steel-battle-clip-medium.webm",
    "pyscenedetect_testvideo.mp4",
    "torchcodec_nasa_13013.mp4",
)


def footage(name: str) -> Path:
    """The real file `name`; the test is skipped where it is absent, and fails where CI is set."""
    folder = Path(os.environ.get("CLIPD_TEST_MEDIA") or Path(__file__).parents[2] / "shared" / "media")
    path = folder / name
    if not path.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing, and CI must not skip the real footage")
        pytest.skip(f"{path} is missing; CLIPD_TEST_MEDIA names the folder of the real footage")
    return path


def pictures(count: int, width: int, height: int, pix_fmt: str = "yuv420p") -> Iterator[av.VideoFrame]:
    """`count` pictures, each unlike the others: a bright bar that moves over a still texture."""
    texture = np.random.default_rng(7).integers(0, 120, (height, width, 3), dtype=np.uint8)
    for number in range(count):
        picture = texture.copy()
        at = number * 5 % width
        picture[:, at : at + 6] = 255 - number % 64
        picture[number * 3 % height, :] = (200, number % 256, 30)
        yield av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)


def make(
    path: Path,
    codec: str = "libx264",
    *,
    count: int = 60,
    size: tuple[int, int] = (96, 64),
    pix_fmt: str = "yuv420p",
    rate: int = 25,
    pts: Iterable[int] | None = None,
    time_base: Fraction | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: float = 0,
    hflip: bool = False,
    vflip: bool = False,
    keyframes: Iterable[int] = (),
    **context: object,
) -> Path:
    """A video of `count` made pictures at `path`; `pts` in `time_base`, by default one frame after the other."""
    base = time_base or Fraction(1, rate)
    stamps = list(range(count) if pts is None else pts)
    forced = set(keyframes)
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], pix_fmt
        stream.codec_context.time_base = base
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if rotation or hflip or vflip:
            stream.set_display_rotation(rotation, hflip=hflip, vflip=vflip)
        for number, frame in enumerate(pictures(len(stamps), *size, pix_fmt)):
            frame.pts, frame.time_base = stamps[number], base
            if number in forced:
                frame.pict_type = av.video.frame.PictureType.I
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def fingerprint(frame: av.VideoFrame) -> str:
    """A hash of exactly the visible samples of `frame`, and of its shape."""
    digest = hashlib.sha256(f"{frame.width}x{frame.height} {frame.format.name}".encode())
    sample = 1 + (max(component.bits for component in frame.format.components) > 8)
    for plane in frame.planes:
        row = plane.width * (frame.format.padded_bits_per_pixel // 8 if len(frame.planes) == 1 else sample)
        lines = np.frombuffer(memoryview(plane), dtype=np.uint8).reshape(-1, plane.line_size)
        digest.update(np.ascontiguousarray(lines[: plane.height, :row]).tobytes())
    return digest.hexdigest()


def decoded_from_the_start(path: Path, track: int) -> list[str]:
    """The fingerprints of all frames of a track, by a plain decode with the library: the truth to compare with."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams[track]
        stream.thread_type = "AUTO"
        return [fingerprint(frame) for frame in container.decode(stream)]
