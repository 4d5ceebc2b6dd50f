from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.media.joining import Canvas, Fitter, JoinedSound, Stretch, layout_for, tone_for
from clipd.media.probe import probe
from tests.footage import fingerprint, pictures
from tests.unit.media.test_audio import make_sound, ramp

PIXELS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray", "rgb24", "bgra", "gbrp", "yuv411p")


@pytest.mark.parametrize("pixels", PIXELS)
def test_a_picture_lies_in_the_middle_of_black(pixels: str) -> None:
    (picture,) = pictures(1, 64, 48, pixels)
    fitter = Fitter(Canvas(128, 48, pixels), scaler="bicubic", threads=1)
    fitted = fitter.fit(picture, Fraction(1))
    assert (fitted.width, fitted.height, fitted.format.name) == (128, 48, pixels)
    shown = fitted.to_ndarray(format="rgb24")
    assert np.array_equal(shown[:, 34:94], picture.to_ndarray(format="rgb24")[:, 2:62])
    assert shown[:, :30].max() <= 2
    assert shown[:, 98:].max() <= 2


@pytest.mark.parametrize("pixels", PIXELS)
def test_what_fits_is_the_very_same_picture(pixels: str) -> None:
    (picture,) = pictures(1, 64, 48, pixels)
    before = fingerprint(picture)
    fitted = Fitter(Canvas(64, 48, pixels), scaler="bicubic", threads=1).fit(picture, Fraction(1))
    assert fitted is picture
    assert fingerprint(fitted) == before


def test_ranges_are_brought_together() -> None:
    grey = av.VideoFrame.from_ndarray(np.full((72, 64), 128, np.uint8), format="gray").reformat(format="yuvj420p")
    for plane, value in zip(grey.planes, (255, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    limited = Fitter(Canvas(64, 48, "yuv420p"), scaler="bicubic", threads=1).fit(grey, Fraction(1))
    assert limited.to_ndarray()[:48].max() == 235
    full = Fitter(Canvas(64, 48, "yuv420p", is_full_range=True), scaler="bicubic", threads=1).fit(grey, Fraction(1))
    assert full.to_ndarray()[:48].max() == 255


@pytest.mark.parametrize(
    ("size", "sar", "rect"),
    [
        ((1920, 1080), 1, (0, 0, 640, 360)),
        ((480, 640), 1, (184, 0, 270, 360)),
        ((101, 37), 1, (0, 62, 640, 234)),
        ((720, 576), Fraction(16, 15), (80, 0, 480, 360)),
        ((1, 1), 1, (140, 0, 360, 360)),
        ((10_000, 3), 1, (0, 178, 640, 2)),
    ],
)
def test_where_a_picture_goes(size: tuple[int, int], sar: Fraction, rect: tuple[int, int, int, int]) -> None:
    assert Canvas(640, 360, "yuv420p").inner(*size, Fraction(sar)) == rect


def test_layouts_are_brought_to_the_richest() -> None:
    assert layout_for([("yuvj420p", 8, True), ("yuv420p", 8, False)]) == ("yuv420p", True)
    assert layout_for([("yuv420p", 8, False), ("yuv422p10le", 10, False)]) == ("yuv422p10le", False)
    assert layout_for([("yuv420p", 8, False), ("rgb24", 8, False)]) == ("yuv444p", False)


def samples_of(sound: JoinedSound, until: Fraction) -> np.ndarray:
    blocks, position = [], 0
    for block in sound.until(until):
        assert block.pts == position
        position += block.samples
        blocks.append(block.to_ndarray().reshape(1, -1))
    return np.concatenate(blocks, axis=1)[0]


def stretch(path: Path, begins: Fraction, ends: Fraction, start: Fraction) -> Stretch:
    return Stretch(begins, ends, path, probe(path, Limits()).audio[0], start, start + ends - begins)


def test_samples_are_the_sources_own_where_all_are_alike(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "a.mov")
    third = Fraction(1, 3)
    stretches = [
        stretch(path, Fraction(0), third, Fraction(1)),
        Stretch(third, 2 * third),
        stretch(path, 2 * third, Fraction(2), Fraction(2)),
    ]
    with JoinedSound(stretches, 0, Limits()) as sound:
        joined = samples_of(sound, Fraction(3))
    source = ramp(48_000)[0]
    wanted = np.concatenate((source[48_000:64_000], np.zeros(16_000), source[96_000:160_000]))
    assert np.array_equal(joined, wanted)


def test_every_part_sounds_exactly_as_long_as_it_is_shown(tmp_path: Path) -> None:
    paths = [make_sound(tmp_path / f"{rate}.mkv", rate=rate) for rate in (48_000, 44_100, 8_000)]
    step = Fraction(1001, 1000)
    stretches = [
        stretch(path, number * step, (number + 1) * step, Fraction(1, 7)) for number, path in enumerate(paths * 3)
    ]
    with JoinedSound(stretches, 0, Limits()) as sound:
        assert (sound.rate, sound.tone.sample_format) == (48_000, "flt")
        joined = samples_of(sound, Fraction(20))
    assert len(joined) == -(-9 * step.numerator * 48_000 // step.denominator)
    for number in range(9):
        first = round(number * step * 48_000)
        wanted = (Fraction(1, 7) * paths_rate(number)) / 32768
        assert joined[first + 60] == pytest.approx(float(wanted), rel=0.02)


def paths_rate(number: int) -> int:
    """Sample k of `ramp` is k + 1, whatever the rate."""
    return (48_000, 44_100, 8_000)[number % 3]


def test_a_stretch_beyond_the_end_is_silent(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "a.mov")
    with JoinedSound([stretch(path, Fraction(0), Fraction(2), Fraction(3))], 0, Limits()) as sound:
        joined = samples_of(sound, Fraction(3))
    assert len(joined) == 96_000
    assert np.all(joined[48_000:] == 0)
    assert joined[47_999] != 0


def test_unlike_tracks_give_the_tone_that_holds_both(tmp_path: Path) -> None:
    mono = probe(make_sound(tmp_path / "a.mkv", rate=44_100), Limits()).audio[0]
    stereo = probe(make_sound(tmp_path / "b.mkv", layout="stereo", rate=32_000), Limits()).audio[0]
    tone = tone_for([mono, stereo])
    assert (tone.rate, tone.layout, tone.sample_format) == (44_100, "stereo", "flt")
