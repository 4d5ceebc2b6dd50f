"""What every output format must keep, run over the table of formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import MediaError
from clipd.formats import FORMATS
from clipd.formats.format import Expected, Format, Pictures, Proof
from clipd.media.door import Limits
from clipd.media.encode import encoding
from clipd.media.framehash import frame_hash
from clipd.media.picture import Reshaper
from clipd.media.planes import plane_rows
from clipd.media.probe import ColorTags, VideoTrack, probe
from clipd.media.timing import rebased
from tests.footage import make, pictures

TIMES = (0, 3003, 6006, 9009, 15000, 15050, 20000, 31000)
END = 34003
PIXELS = (
    "yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p12le", "gray", "gray10le",
    "rgb24", "bgra", "gbrp", "gbrp10le", "nv12", "p010le", "yuyv422", "yuva420p", "yuv420p10be", "yuv411p", "rgb48be",
)  # fmt: skip


@pytest.fixture(params=FORMATS.values(), ids=lambda entry: entry.name)
def entry(request: pytest.FixtureRequest) -> Format:
    return request.param


def track(tmp_path: Path, pixels: str = "yuv420p", size: tuple[int, int] = (96, 64)) -> VideoTrack:
    """A source's facts, with the pixel format exchanged."""
    video = probe(make(tmp_path / "source.mp4", count=2, size=(96, 64)), Limits()).video
    bits = max(component.bits for component in av.VideoFormat(pixels).components)
    return replace(
        video, pix_fmt=pixels, bits=bits, width=size[0], height=size[1], time_base=Fraction(1, 90000),
        color=ColorTags(1, 1, 1, 1 if pixels.startswith("yuv4") else 0),
    )  # fmt: skip


def produce(
    entry: Format, folder: Path, video: VideoTrack, *, times: Sequence[int] = TIMES, end: int = END
) -> tuple[Path, Expected, tuple[str, ...]]:
    """Writes noise-like pictures in the given format; returns the file, what must be in it, and the warnings."""
    width, height = entry.allowed(video.width, video.height)
    recipe, warnings = entry.recipe(entry.settings(), Pictures(video, width, height, Fraction(30)), [])
    path, hashes, reshaper = folder / f"made.{recipe.extension}", [], Reshaper(recipe.pixels)
    clock = rebased(np.array([*times, end], np.int64), video.time_base, recipe.time_base)
    with encoding(path, recipe, 2) as encoder:
        made = pictures(len(times), width, height, video.pix_fmt)
        for frame, (begin, after) in zip(made, pairwise(clock.tolist()), strict=True):
            fitted = reshaper.fit(frame, width, height)
            hashes.append(frame_hash(fitted))
            encoder.picture(fitted, begin, after - begin)
        encoder.finish()
    return path, Expected(recipe, clock[:-1], int(clock[-1]), hashes if entry.is_exact else []), warnings


def verify(entry: Format, path: Path, expected: Expected) -> Proof:
    return entry.verify(path, expected, Limits(), 2, lambda done, total: None)


@pytest.mark.parametrize("pixels", PIXELS)
def test_every_source_layout_is_written_and_proven(entry: Format, tmp_path: Path, pixels: str) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path, pixels))
    proof = verify(entry, path, expected)
    assert (proof.frames, proof.width, proof.height) == (len(TIMES), 96, 64)


@pytest.mark.parametrize("size", [(2, 2), (3, 5), (17, 31), (99, 77), (641, 361), (353, 289)])
def test_odd_and_tiny_sizes_are_written(entry: Format, tmp_path: Path, size: tuple[int, int]) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path, size=size))
    assert (verify(entry, path, expected).width, expected.recipe.width) == (entry.allowed(*size)[0],) * 2


def test_a_single_picture_is_a_file_too(entry: Format, tmp_path: Path) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path), times=(0,), end=3003)
    assert verify(entry, path, expected).frames == 1


def test_exact_formats_keep_every_sample(entry: Format, tmp_path: Path) -> None:
    if not entry.is_exact:
        pytest.skip("this format does not promise it")
    for pixels in PIXELS:
        video = track(tmp_path, pixels)
        path, _, _ = produce(entry, tmp_path, video)
        with av.open(str(path)) as container:
            back = [frame.reformat(format=pixels) for frame in container.decode(video=0)]
        for frame, wanted in zip(back, pictures(len(TIMES), 96, 64, pixels), strict=True):
            assert frame_hash(frame) == frame_hash(wanted), pixels


@pytest.mark.parametrize(
    ("pixels", "tag", "full"), [("yuvj420p", 0, True), ("yuv420p", 2, True), ("yuv420p", 1, False)]
)
def test_luma_and_its_range_stay_as_coded(entry: Format, tmp_path: Path, pixels: str, tag: int, full: bool) -> None:
    video = replace(track(tmp_path, pixels), color=ColorTags(1, 1, 1, tag))
    path, _, _ = produce(entry, tmp_path, video)
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    for frame, wanted in zip(frames, pictures(len(TIMES), 96, 64, pixels), strict=True):
        assert (frame.color_range == 2) is full
        luma, source = plane_rows(frame, 0), plane_rows(wanted, 0)
        assert abs(luma.mean() - source.mean()) < 1.5


def test_colour_tags_and_pixel_aspect_are_carried_over_or_named(entry: Format, tmp_path: Path) -> None:
    video = replace(track(tmp_path), color=ColorTags(9, 16, 9, 1), sar=Fraction(16, 11))
    path, _, warnings = produce(entry, tmp_path, video)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == (9, 16, 9, 1)
        assert stream.sample_aspect_ratio == Fraction(16, 11) or any("pixel aspect 16/11" in word for word in warnings)


def test_hdr_metadata_and_lost_depth_are_named(entry: Format, tmp_path: Path) -> None:
    video = replace(track(tmp_path, "yuv420p10le"), hdr=("mastering display",))
    _, _, warnings = produce(entry, tmp_path, video)
    assert any("mastering display" in warning for warning in warnings)
    assert any("10 bits" in warning for warning in warnings) is not entry.is_exact


def test_a_missing_frame_is_found(entry: Format, tmp_path: Path) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path))
    more = replace(expected, times=np.append(expected.times, expected.end), hashes=[*expected.hashes, b""])
    with pytest.raises(MediaError):
        verify(entry, path, more)
    fewer = replace(expected, times=expected.times[:-1], hashes=expected.hashes[:-1])
    with pytest.raises(MediaError):
        verify(entry, path, fewer)


def test_a_wrong_time_is_found(entry: Format, tmp_path: Path) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path))
    times = expected.times.copy()
    times[3] += 300
    with pytest.raises(MediaError, match="frame 3 is shown at the wrong time"):
        verify(entry, path, replace(expected, times=times))


def test_a_wrong_size_is_found(entry: Format, tmp_path: Path) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path))
    with pytest.raises(MediaError, match="instead of 98x64"):
        verify(entry, path, replace(expected, recipe=replace(expected.recipe, width=98)))


def test_missing_sound_is_found(entry: Format, tmp_path: Path) -> None:
    from clipd.media.encode import AudioRecipe

    path, expected, _ = produce(entry, tmp_path, track(tmp_path))
    recipe = replace(expected.recipe, audio=(AudioRecipe("aac", 48000, "mono", "fltp"),))
    with pytest.raises(MediaError, match="0 audio tracks instead of 1"):
        verify(entry, path, replace(expected, recipe=recipe))


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.95])
def test_a_truncated_file_is_found(entry: Format, tmp_path: Path, kept: float) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path, size=(320, 240)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(MediaError):
        verify(entry, path, expected)


def test_damage_in_the_pictures_is_found_by_formats_that_are_exact(entry: Format, tmp_path: Path) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path, size=(320, 240)))
    if not entry.is_exact:
        pytest.skip("only the end of the file is decoded")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(MediaError):
        verify(entry, path, expected)


def test_a_picture_exchanged_for_another_is_found_by_formats_that_are_exact(entry: Format, tmp_path: Path) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path))
    if not entry.is_exact:
        pytest.skip("pictures are not compared")
    hashes = [*expected.hashes[:4], expected.hashes[5], expected.hashes[4], *expected.hashes[6:]]
    with pytest.raises(MediaError, match="frame 4 differs"):
        verify(entry, path, replace(expected, hashes=hashes))


def test_checking_can_be_stopped(entry: Format, tmp_path: Path) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        entry.verify(path, expected, Limits(), 2, stop)


@pytest.mark.parametrize("filler", [0x00, 0xFF])
def test_a_last_picture_that_does_not_decode_is_found(entry: Format, tmp_path: Path, filler: int) -> None:
    path, expected, _ = produce(entry, tmp_path, track(tmp_path, size=(320, 240)))
    with av.open(str(path)) as container:
        last = max((packet for packet in container.demux(video=0) if packet.size), key=lambda packet: packet.pts)
        content = bytes(last)
    data = path.read_bytes()
    path.write_bytes(data.replace(content, bytes([filler]) * len(content)))
    with pytest.raises(MediaError):
        verify(entry, path, expected)
