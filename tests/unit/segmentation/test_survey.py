from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import MediaError, Rejected
from clipd.media.door import Limits
from clipd.media.index import build
from clipd.media.probe import probe
from clipd.segmentation import survey as module
from clipd.segmentation.features import Features
from clipd.segmentation.scenes import DETECTORS
from clipd.segmentation.survey import Scenes, Settings, survey
from tests.footage import footage, make
from tests.unit.segmentation.filmed import film, texture, tone

FRAMES = 50
EAGER = {"scenes": {"detectors": ["scene"], "scene": {"threshold": 0.01}}}
"""So that much passes for a cut."""


def measured(path: Path, settings: Settings | None = None) -> Features:
    return survey(path, settings or Settings(), Limits(), lambda *_: None)


def pictures(count: int = FRAMES) -> list[np.ndarray]:
    """A shot of half the length, then another, both with a bar that moves."""
    drawn = []
    for number in range(count):
        picture = texture(0 if number < count // 2 else 1, lift=20 if number < count // 2 else 110)
        picture[:, number * 3 % 150 : number * 3 % 150 + 8] = 235
        drawn.append(picture)
    return drawn


def test_every_measure_stands_on_the_grid(tmp_path: Path) -> None:
    features = measured(film(tmp_path / "a.mkv", pictures(), sound=tone(2, 0.5)))

    assert features.duration_seconds == pytest.approx(2.0)
    assert features.times.tolist() == [0.0, 0.5, 1.0, 1.5]
    for curve in (features.loudness, features.motion, features.loudness_z, features.motion_z):
        assert curve is not None
        assert curve.shape == (4,)
    assert features.pictures.shape[0] == 4
    assert [cut.frame for cut in features.cuts if cut.detector == "scene"] == [FRAMES // 2]
    assert features.warnings == ()


@pytest.mark.footage
def test_it_does_not_matter_how_many_frames_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    several = measured(footage("torchcodec_nasa_13013.mp4"))
    monkeypatch.setattr(module, "TOGETHER_BYTES", 1)
    one_by_one = measured(footage("torchcodec_nasa_13013.mp4"))

    assert several.frame_count * 160 * 90 > 2 * module.TOGETHER_BYTES
    assert several.cuts == one_by_one.cuts
    assert len(several.cuts) > 1
    for name in ("motion", "pictures", "strip", "strip_times", "frame_times"):
        assert np.array_equal(getattr(several, name), getattr(one_by_one, name)), name


@pytest.mark.footage
@pytest.mark.parametrize("name", ["torchcodec_nasa_13013.mp4", "mdn_friday.mp4", "docutils_pens.mp4"])
def test_frames_are_those_of_the_index(name: str) -> None:
    path = footage(name)
    index = build(path, probe(path, Limits()), Limits())

    features = measured(path)

    assert features.frame_count == index.count
    assert features.frame_times.tolist() == [float(index.time(number)) for number in range(index.count)]
    assert features.duration_seconds == float(index.time(index.count))


def test_without_audio_motion_alone_is_measured_and_said(tmp_path: Path) -> None:
    features = measured(film(tmp_path / "a.mkv", pictures()))

    assert features.loudness is None
    assert not features.loudness_z.any()
    assert features.motion_z.any()
    assert any("no audio" in words for words in features.warnings)


def test_silent_audio_is_said(tmp_path: Path) -> None:
    features = measured(film(tmp_path / "a.mkv", pictures(), sound=tone(2, 0.0)))

    assert features.loudness is not None
    assert not features.loudness.any()
    assert not features.loudness_z.any()
    assert any("silent" in words for words in features.warnings)


def test_without_video_loudness_alone_is_measured_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48_000, layout="mono")
        samples = (tone(3, 0.5) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))

    features = measured(path)

    assert features.frame_count == 0
    assert features.duration_seconds == pytest.approx(3.0, abs=0.011)
    assert features.loudness is not None
    assert features.loudness[1] == pytest.approx(60 + 20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)
    assert not features.motion.any()
    assert any("no video" in words for words in features.warnings)


@pytest.mark.parametrize(
    ("count", "size", "rate"),
    [
        (1, (96, 64), 25),
        (2, (96, 64), 25),
        (120, (96, 64), 60),
        (20, (90, 160), 25),
        (20, (98, 50), 25),
        (9, (2, 2), 3),
    ],
    ids=["one frame", "two frames", "60 fps", "portrait", "odd", "tiny and slow"],
)
def test_odd_films_are_measured(tmp_path: Path, count: int, size: tuple[int, int], rate: int) -> None:
    features = measured(make(tmp_path / "a.mp4", count=count, size=size, rate=rate))

    assert features.frame_count == count
    assert features.duration_seconds == pytest.approx(count / rate)
    assert len(features.times) == max(1, int(np.ceil(count / rate / 0.5 - 1e-9)))
    assert np.isfinite(features.motion_z).all()


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv422p10le", "gray", "bgr0", "yuva420p"])
def test_layouts_of_pictures_make_no_difference(tmp_path: Path, pixels: str) -> None:
    usual = measured(make(tmp_path / "a.mkv", "ffv1", pix_fmt="yuv444p", count=30))

    features = measured(make(tmp_path / "b.mkv", "ffv1", pix_fmt=pixels, count=30))

    # Grey uses the full range, in which differences are larger by 255/219.
    assert features.motion == pytest.approx(usual.motion * (255 / 219 if pixels == "gray" else 1), rel=0.05)
    assert features.freezes == usual.freezes
    assert features.black == usual.black


def test_variable_rate_and_late_start_keep_true_times(tmp_path: Path) -> None:
    times = [5000 + tick for tick in (0, 40, 80, 1080, 1120, 3000, 3040)]
    path = film(tmp_path / "a.mkv", [texture(number) for number in range(7)], times=times)

    features = measured(path)

    assert features.frame_times == pytest.approx([0, 0.04, 0.08, 1.08, 1.12, 3.0, 3.04])
    assert len(features.times) == 7
    assert [(run.start_frame, run.end_frame) for run in features.freezes] == [(2, 3), (4, 5)]


def test_sound_is_laid_from_the_first_picture_on(tmp_path: Path) -> None:
    # Pictures begin at 2 s of the file's clock, sound at 2.5 s: the first half second is silent.
    times = [2000 + 40 * number for number in range(FRAMES)]
    path = film(tmp_path / "a.mkv", pictures(), times=times, sound=tone(5, 0.5), sound_start=2.5)
    settings = Settings.model_validate({"loudness": {"smooth_points": 1}})

    loudness = measured(path, settings).loudness

    assert loudness is not None
    assert loudness[0] == 0.0
    assert loudness[1:] == pytest.approx([50.97] * 3, abs=0.05)


def test_a_damaged_middle_is_counted_and_named(tmp_path: Path) -> None:
    whole = make(tmp_path / "a.mp4", count=100, keyframes=[50])
    data = bytearray(whole.read_bytes())
    with av.open(str(whole)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for position, size in places[30:40]:
        assert position is not None
        data[position + 4 : position + size] = b"\xff" * (size - 4)
    broken = tmp_path / "b.mp4"
    broken.write_bytes(data)

    features = measured(broken)

    assert 60 <= features.frame_count <= 100
    assert any("broken packets" in words or "in part only" in words for words in features.warnings)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_file_that_breaks_off_is_measured_as_far_as_it_goes(tmp_path: Path, share: float) -> None:
    whole = make(tmp_path / "a.mkv", "ffv1", count=100)
    cut = tmp_path / "b.mkv"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])

    assert 0.8 * share * 100 <= measured(cut).frame_count <= 1.2 * share * 100


def test_nothing_to_see_or_hear_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0" * 5000)

    with pytest.raises(MediaError):
        measured(path)


def test_a_video_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [texture(0), texture(1)], times=[0, 10_000_000])

    with pytest.raises(Rejected, match="max_duration_hours"):
        survey(path, Settings(), Limits(max_duration_hours=1), lambda *_: None)


def test_a_checkpoint_can_stop_it_and_sees_it_advance(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", pictures())
    seen: list[tuple[str, int, int]] = []

    def stop(stage: str, done: int, total: int) -> None:
        seen.append((stage, done, total))
        if done == 20:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        survey(path, Settings(), Limits(), stop)

    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1] == ("analysing", 20, FRAMES)


def test_detectors_are_those_asked_for(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", pictures())

    features = measured(path, Settings(scenes=Scenes(detectors=("scene", "content"))))

    assert {cut.detector for cut in features.cuts} == {"scene", "content"}
    assert set(DETECTORS) <= set(Scenes.model_fields)


def test_an_unknown_detector_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no detector 'magic'"):
        Scenes(detectors=("magic",))


def test_cuts_lie_at_exact_times_also_where_times_come_out_of_order() -> None:
    features = measured(footage("mapillary_sample-5s_h265.mp4"), Settings.model_validate(EAGER))

    assert features.cuts
    assert [cut.seconds for cut in features.cuts] == [float(features.frame_times[cut.frame]) for cut in features.cuts]
