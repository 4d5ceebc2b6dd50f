"""Joined films, decoded by plain means and compared with what their parts are made of."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import Rejected, Superseded
from clipd.jobs.clip import Settings
from clipd.jobs.context import Context
from clipd.jobs.joined import BlackPart, FilmPart, Joined, Part, join
from clipd.jobs.rendition import Rendition
from clipd.media.door import Limits
from clipd.model.timespan import FrameSpan, TimeSpan
from tests.beeps import beep_film, beeps, flashes, times_of
from tests.footage import decoded_from_the_start, footage, make

Join = Callable[..., Joined]
RENDITIONS = tuple(Rendition(format, "original", "film", f"{format}/cam1/s1") for format in ("h264", "ffv1"))


@pytest.fixture
def made(tmp_path: Path) -> Join:
    """Joins parts; the files lie in `tmp_path / "staging"`."""
    (tmp_path / "staging").mkdir()

    def made(
        *parts: Part,
        box: tuple[int, int] | None = None,
        renditions: tuple[Rendition, ...] = RENDITIONS,
        checkpoint: Callable[[str, int, int], None] = lambda stage, done, total: None,
    ) -> Joined:
        settings = Settings(formats=("h264", "ffv1"))
        first = next((part.path for part in parts if isinstance(part, FilmPart)), tmp_path)
        context = Context(tmp_path / "staging", first, first.name, None, 2, Limits(), checkpoint)
        return join(parts, renditions, settings, context, box=box)

    return made


def film(path: Path, first: int, last: int, **more: Fraction) -> FilmPart:
    return FilmPart(path, path.name, FrameSpan(first, last), **more)


def lengths(path: Path) -> tuple[float, float]:
    """How long the pictures and the sound of a file last, by decoding."""
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
        return float(container.streams.video[0].frames), samples / container.streams.audio[0].rate


def in_step(path: Path, count: int, tolerance: float = 0.024) -> None:
    seen, heard = flashes(path), beeps(path)
    assert len(seen) == len(heard) == count
    assert max(abs(sound - light) for light, sound in zip(seen, heard, strict=True)) <= tolerance


def test_parts_of_one_film_are_its_own_frames(made: Join, tmp_path: Path) -> None:
    source = beep_film(tmp_path / "source.mp4", seconds=6)
    joined = made(film(source, 10, 59), film(source, 90, 139), film(source, 25, 25))
    whole = decoded_from_the_start(source, 0)
    wanted = [*whole[10:60], *whole[90:140], whole[25]]
    assert decoded_from_the_start(tmp_path / "staging/film.mkv", 0) == wanted
    assert joined.frames == 101
    assert times_of(tmp_path / "staging/film.mp4") == [Fraction(number, 25) for number in range(101)]
    assert [(part.begins_seconds, part.frames, part.is_untouched) for part in joined.parts] == [
        (0, 50, True),
        (2, 50, True),
        (4, 1, True),
    ]
    for name in ("film.mkv", "film.mp4"):
        assert joined.outputs[name].frames == 101
        in_step(tmp_path / "staging" / name, 5)
    assert "101 of 101" in joined.outputs["film.mkv"].proof
    assert [artifact.role for artifact in joined.artifacts] == ["video", "video", "thumbnail", "thumbnail"]


def test_lossless_sound_is_the_sources_own(made: Join, tmp_path: Path) -> None:
    source = beep_film(tmp_path / "source.mkv", seconds=4, audio="flac")
    made(film(source, 10, 34), film(source, 50, 74))
    with av.open(str(source)) as container:
        heard = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    with av.open(str(tmp_path / "staging/film.mkv")) as container:
        joined = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    at = [number * 48_000 // 25 for number in (10, 35, 50, 75)]
    assert np.array_equal(joined, np.concatenate((heard[at[0] : at[1]], heard[at[2] : at[3]])))


def test_many_joints_do_not_drift(made: Join, tmp_path: Path) -> None:
    source = beep_film(tmp_path / "source.mp4", seconds=10, rate=30, sound_rate=44_100, gop=30)
    # 29 frames of 1/30 s hold no whole number of audio frames, nor of samples in the source's own count from 0.
    parts = [film(source, (number % 9) * 30, (number % 9) * 30 + 28) for number in range(50)]
    joined = made(*parts, renditions=RENDITIONS[:1])
    assert joined.frames == 1450
    in_step(tmp_path / "staging/film.mp4", 50)
    assert lengths(tmp_path / "staging/film.mp4")[1] == pytest.approx(1450 / 30, abs=0.05)


def test_unlike_parts_are_fitted_and_stay_in_step(made: Join, tmp_path: Path) -> None:
    wide = beep_film(tmp_path / "wide.mp4", seconds=3, size=(192, 108))
    high = beep_film(tmp_path / "high.mp4", seconds=3, size=(64, 96), rate=10, sound_rate=44_100, layout="stereo")
    mute = beep_film(tmp_path / "mute.mp4", seconds=2, size=(96, 64), rate=50, audio=None)
    joined = made(film(wide, 0, 74), film(high, 0, 29), film(mute, 0, 99), film(wide, 0, 24))
    assert joined.frames == 75 + 30 + 100 + 25
    assert [part.begins_seconds for part in joined.parts] == [0, 3, 6, 8]
    assert [part.rect for part in joined.parts] == [
        (0, 0, 192, 108),
        (60, 0, 72, 108),
        (14, 0, 162, 108),
        (0, 0, 192, 108),
    ]
    assert [part.is_untouched for part in joined.parts] == [True, False, False, True]
    assert any("mute.mp4: no audio track 1; silence" in warning for warning in joined.warnings)
    lossless = decoded_from_the_start(tmp_path / "staging/film.mkv", 0)
    whole = decoded_from_the_start(wide, 0)
    assert lossless[:75] == whole
    assert lossless[205:] == whole[:25]
    for name in ("film.mp4", "film.mkv"):
        path = tmp_path / "staging" / name
        heard = beeps(path)
        assert len(heard) == 7
        assert max(abs(a - b) for a, b in zip(heard, (0, 1, 2, 3, 4, 5, 8), strict=True)) <= 0.024
        with av.open(str(path)) as container:
            pictures = {round(f.pts * f.time_base, 3): f for f in container.decode(video=0)}
        padded = pictures[Fraction("3.1")].to_ndarray(format="gray")
        assert padded[:, :56].max() <= 20
        assert padded[:, 136:].max() <= 20
        assert padded[:, 64:128].mean() > 30


def test_black_fills_a_gap_exactly(made: Join, tmp_path: Path) -> None:
    source = beep_film(tmp_path / "source.mp4", seconds=4)
    gap = Fraction("1.234567")
    joined = made(film(source, 0, 24), BlackPart(gap), film(source, 50, 74))
    assert joined.seconds == 2 + gap
    times = times_of(tmp_path / "staging/film.mp4")
    assert abs(times[-25] - (1 + gap)) <= Fraction(1, 90_000)
    in_step(tmp_path / "staging/film.mp4", 2)
    with av.open(str(tmp_path / "staging/film.mp4")) as container:
        dark = [frame.to_ndarray(format="gray").max() for frame in container.decode(video=0)]
    black = [number for number, value in enumerate(dark) if value <= 20]
    assert black == list(range(25, 25 + len(black)))
    assert joined.parts[1].name == "black"


def test_a_part_can_be_given_its_length(made: Join, tmp_path: Path) -> None:
    source = beep_film(tmp_path / "source.mp4", seconds=6)
    joined = made(
        film(source, 0, 49, length=Fraction("1.5")),
        film(source, 50, 74, length=Fraction("1.5")),
        film(source, 100, 124),
    )
    assert [part.frames for part in joined.parts] == [38, 25, 25]
    assert [part.begins_seconds for part in joined.parts] == [0, Fraction(3, 2), 3]
    times = times_of(tmp_path / "staging/film.mp4")
    assert times[37:39] == [Fraction(37, 25), Fraction(3, 2)]
    assert times[63] == 3
    # The sound of the second part goes on where its picture is held.
    assert [round(time, 1) for time in beeps(tmp_path / "staging/film.mp4")] == [0, 1, 1.5, 2.5, 3]


def test_spans_of_time_and_variable_rates(made: Join, tmp_path: Path) -> None:
    times = [0, 40, 90, 100, 250, 260, 300, 500, 510, 560]
    source = make(tmp_path / "vfr.mkv", "ffv1", pts=times, time_base=Fraction(1, 1000))
    part = FilmPart(source, "vfr", TimeSpan(Fraction("0.04"), Fraction("0.3")))
    joined = made(part, part)
    assert joined.frames == 10
    shown = [Fraction(t - 40, 1000) for t in times[1:6]]
    assert times_of(tmp_path / "staging/film.mkv") == [*shown, *(t + Fraction("0.26") for t in shown)]
    assert "none of the parts has audio" in joined.warnings


def test_turned_and_full_range_parts(made: Join, tmp_path: Path) -> None:
    turned = make(tmp_path / "turned.mp4", size=(64, 96), rotation=90, count=10)
    full = make(tmp_path / "full.mp4", size=(96, 64), pix_fmt="yuvj420p", count=10)
    joined = made(film(turned, 0, 9), film(full, 0, 9))
    assert [part.rect for part in joined.parts] == [(0, 0, 96, 64)] * 2
    assert [part.is_untouched for part in joined.parts] == [True, False]
    with av.open(str(full)) as one, av.open(str(tmp_path / "staging/film.mkv")) as other:
        before = [frame.to_ndarray(format="rgb24") for frame in one.decode(video=0)]
        after = [frame.to_ndarray(format="rgb24") for frame in other.decode(video=0)][10:]
    assert np.abs(before[3].astype(int) - after[3]).mean() < 3


def test_pixels_that_are_not_square_keep_their_look(made: Join, tmp_path: Path) -> None:
    anamorphic = make(tmp_path / "sar.mp4", size=(72, 64), count=5, sample_aspect_ratio=Fraction(4, 3))
    square = make(tmp_path / "square.mp4", size=(64, 64), count=5)
    joined = made(film(anamorphic, 0, 4), film(square, 0, 4))
    assert [part.rect for part in joined.parts] == [(0, 0, 96, 64), (16, 0, 64, 64)]


def test_a_box_can_be_given(made: Join, tmp_path: Path) -> None:
    joined = made(film(make(tmp_path / "a.mp4", count=5), 0, 4), box=(200, 64))
    assert joined.parts[0].rect == (52, 0, 96, 64)
    assert (joined.outputs["film.mp4"].width, joined.outputs["film.mkv"].height) == (200, 64)


def test_odd_sizes_are_said(made: Join, tmp_path: Path) -> None:
    joined = made(film(make(tmp_path / "odd.mkv", "ffv1", size=(97, 65), count=5), 0, 4))
    assert (joined.outputs["film.mp4"].width, joined.outputs["film.mkv"].width) == (96, 97)
    assert any("97x65 became 96x64" in warning for warning in joined.warnings)


def test_only_black_is_refused(made: Join) -> None:
    with pytest.raises(Rejected, match="nothing but black"):
        made(BlackPart(Fraction(1)))


def test_the_job_can_be_stopped(made: Join, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "encoding" and done == 7:
            raise Superseded("enough")

    with pytest.raises(Superseded):
        made(film(make(tmp_path / "a.mp4"), 0, 59), checkpoint=stop)


@pytest.mark.footage
def test_real_footage_of_two_kinds(made: Join, tmp_path: Path) -> None:
    friday, pens = footage("mdn_friday.mp4"), footage("docutils_pens.mp4")
    joined = made(film(friday, 100, 109), film(pens, 5, 14), film(friday, 10, 19))
    lossless = decoded_from_the_start(tmp_path / "staging/film.mkv", 0)
    whole = decoded_from_the_start(friday, 1)
    assert lossless[:10] == whole[100:110]
    assert lossless[20:] == whole[10:20]
    assert joined.frames == 30
    _, sound = lengths(tmp_path / "staging/film.mkv")
    assert sound == pytest.approx(float(joined.seconds), abs=0.001)


def test_times_on_the_clock_of_recorders_are_not_called_rounded(made: Join, tmp_path: Path) -> None:
    source = make(tmp_path / "source.mp4", count=10, time_base=Fraction(1, 90_000), pts=range(0, 37_000, 3_700))
    joined = made(film(source, 0, 4), film(source, 6, 9), renditions=RENDITIONS[:1])
    assert not [warning for warning in joined.warnings if "rounded" in warning]


@pytest.mark.parametrize(("box", "told"), [((192, 128), True), ((96, 64), False), (None, False)])
def test_parts_that_are_enlarged_are_said_to_be(
    made: Join, tmp_path: Path, box: tuple[int, int] | None, told: bool
) -> None:
    source = make(tmp_path / "source.mp4", count=10, size=(96, 64))
    joined = made(film(source, 0, 4), renditions=RENDITIONS[:1], box=box)
    assert any("enlarged to fit 192x128" in warning for warning in joined.warnings) is told
