"""Clips of real and made footage, compared with decoding, cropping and interpolating done here, independently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import MediaError, Rejected, Superseded
from clipd.jobs.clip import Result, Settings, estimate, plan, run
from clipd.jobs.context import Context
from clipd.media.door import Limits
from clipd.media.planes import plane_rows
from clipd.model.clip import Clip
from clipd.model.crop import CropPath, Rect
from clipd.model.timespan import FrameSpan, TimeSpan
from tests.footage import footage, make

Run = Callable[..., Result]


@pytest.fixture
def export(tmp_path: Path) -> Run:
    """Runs a clip; its files lie in `tmp_path / "staging"`."""
    (tmp_path / "staging").mkdir()

    def export(
        source: Path,
        span: FrameSpan | TimeSpan,
        crop: CropPath | None = None,
        *,
        checkpoint: Callable[[str, int, int], None] = lambda stage, done, total: None,
        box: tuple[int, int] | None = None,
        upscale: bool = False,
        **settings: object,
    ) -> Result:
        chosen = Settings(**{"formats": ("h264", "ffv1")} | settings)
        clip = Clip("id:1", "goal", None, span, crop, box, upscale)
        renditions = plan(clip, chosen, camera="cam1", session="s1", video_stem="match")
        context = Context(tmp_path / "staging", source, source.name, None, 2, Limits(), checkpoint)
        return run(clip, renditions, chosen, context)

    return export


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    return [plane_rows(frame, index).copy() for index in range(len(frame.planes))]


def decoded(path: Path, first: int = 0, last: int | None = None, track: int = 0) -> list[list[np.ndarray]]:
    """The planes of frames `first` to `last`, by a plain decode from the start."""
    with av.open(str(path)) as container:
        stream = container.streams.video[track]
        frames = []
        for number, frame in enumerate(container.decode(stream)):
            if last is not None and number > last:
                break
            if number >= first:
                frames.append(planes(frame))
        return frames


def cropped(picture: list[np.ndarray], rect: Rect) -> list[np.ndarray]:
    """A rectangle of a 4:2:0 picture: luma exact, chroma offset floored, size rounded up."""
    x, y, w, h = rect.as_list()
    luma = picture[0][y : y + h, x : x + w]
    return [luma] + [
        plane[y // 2 : y // 2 + -(-h // 2), x // 2 : x // 2 + -(-w // 2)] for plane in picture[1:]
    ]  # fmt: skip


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity over windows of 8x8 (Wang et al. 2004), for samples of 0 to 255."""

    def windows(image: np.ndarray) -> np.ndarray:
        h, w = image.shape[0] // 8 * 8, image.shape[1] // 8 * 8
        return image[:h, :w].astype(float).reshape(h // 8, 8, w // 8, 8).swapaxes(1, 2).reshape(-1, 64)

    x, y = windows(a), windows(b)
    mx, my = x.mean(1), y.mean(1)
    cov = (x * y).mean(1) - mx * my
    c1, c2 = 6.5025, 58.5225
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (x.var(1) + y.var(1) + c2))).mean())


def name_of(result: Result, suffix: str) -> str:
    return next(artifact.name for artifact in result.artifacts if artifact.name.endswith(suffix))


REAL = (
    ("mdn_flower.mp4", 0, FrameSpan(40, 79), Rect(101, 51, 321, 241)),
    ("torchcodec_nasa_13013.mp4", 0, FrameSpan(100, 139), Rect(9, 21, 301, 150)),
    ("mdnshared_tears-of-steel-battle-clip-medium.webm", 0, FrameSpan(200, 229), Rect(1, 1, 401, 299)),
    ("mdn_friday.mp4", 0, FrameSpan(140, 184), Rect(0, 0, 640, 480)),
    ("mapillary_sample-5s_h265.mp4", 0, FrameSpan(100, 111), None),
)


@pytest.mark.footage
@pytest.mark.parametrize(("name", "track", "span", "rect"), REAL, ids=[case[0] for case in REAL])
def test_real_footage_is_cut_exactly(
    name: str, track: int, span: FrameSpan, rect: Rect | None, export: Run, tmp_path: Path
) -> None:
    source = footage(name)
    result = export(source, span, None if rect is None else CropPath(((0, rect),)))
    wanted = decoded(source, span.first, span.last, track)
    if rect is not None:
        wanted = [cropped(picture, rect) for picture in wanted]
    lossless = decoded(tmp_path / "staging" / name_of(result, ".mkv"))
    assert len(lossless) == span.count
    for number, (got, source_picture) in enumerate(zip(lossless, wanted, strict=True)):
        for plane in range(3):
            assert np.array_equal(got[plane], source_picture[plane]), f"frame {number}, plane {plane}"
    lossy = decoded(tmp_path / "staging" / name_of(result, ".mp4"))
    assert len(lossy) == span.count
    height, width = lossy[0][0].shape
    values = [ssim(got[0], picture[0][:height, :width]) for got, picture in zip(lossy, wanted, strict=True)]
    assert min(values) > 0.95
    assert np.mean(values) > 0.98


@pytest.mark.footage
def test_a_turned_source_comes_out_upright_and_in_its_own_range(export: Run, tmp_path: Path) -> None:
    source = footage("docutils_pens.mp4")
    result = export(source, FrameSpan(5, 20))
    wanted = [[np.rot90(plane, -1) for plane in picture] for picture in decoded(source, 5, 20)]
    lossless = decoded(tmp_path / "staging" / name_of(result, ".mkv"))
    for got, picture in zip(lossless, wanted, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(got, picture, strict=True))
    with av.open(str(tmp_path / "staging" / name_of(result, ".mp4"))) as container:
        frames = list(container.decode(video=0))
    assert {(f.width, f.height, f.color_range, f.rotation) for f in frames} == {(144, 176, 2, 0)}
    values = [ssim(plane_rows(f, 0), picture[0]) for f, picture in zip(frames, wanted, strict=True)]
    assert np.mean(values) > 0.98
    assert any("turned upright" in warning for warning in result.truth.warnings)


def interpolated(keys: list[tuple[int, list[int]]], frame: int, smooth: bool) -> Rect:
    """Interpolation by its definition, in exact fractions, rounded half to even."""
    if frame <= keys[0][0]:
        return Rect(*keys[0][1])
    for (f0, a), (f1, b) in pairwise(keys):
        if f0 <= frame <= f1:
            t = Fraction(frame - f0, f1 - f0)
            t = 3 * t**2 - 2 * t**3 if smooth else t
            return Rect(*(round(p * (1 - t) + q * t) for p, q in zip(a, b, strict=True)))
    return Rect(*keys[-1][1])


@pytest.mark.footage
@pytest.mark.parametrize("smooth", [False, True])
def test_a_crop_of_200_keyframes_is_followed_frame_by_frame(export: Run, tmp_path: Path, smooth: bool) -> None:
    source = footage("intel_car-detection.mp4")
    random = np.random.default_rng(11)
    frames = sorted(random.choice(np.arange(20, 340), 200, replace=False).tolist())
    keys = [(frame, [int(random.integers(0, 500)), int(random.integers(0, 250)), 211, 151]) for frame in frames]
    path = CropPath(tuple((frame, Rect(*rect)) for frame, rect in keys), "smooth" if smooth else "linear")
    span = FrameSpan(10, 350)
    result = export(source, span, path, formats=("ffv1",))
    lossless = decoded(tmp_path / "staging" / name_of(result, ".mkv"))
    for number, (got, picture) in enumerate(zip(lossless, decoded(source, 10, 350), strict=True), 10):
        wanted = cropped(picture, interpolated(keys, number, smooth))
        assert all(np.array_equal(a, b) for a, b in zip(got, wanted, strict=True)), f"frame {number}"
    facts = result.truth.outputs[name_of(result, ".mkv")].crop
    assert [applied.frame for applied in facts.applied] == [10, *frames, 350]


@pytest.mark.footage
def test_a_zoom_is_scaled_to_its_largest_rectangle(export: Run, tmp_path: Path) -> None:
    source = footage("intel_car-detection.mp4")
    keys = [(20, [100, 50, 160, 120]), (60, [140, 70, 320, 240]), (90, [11, 33, 201, 151])]
    path = CropPath(tuple((frame, Rect(*rect)) for frame, rect in keys))
    result = export(source, FrameSpan(15, 95), path)
    lossless = decoded(tmp_path / "staging" / name_of(result, ".mkv"))
    lossy = decoded(tmp_path / "staging" / name_of(result, ".mp4"))
    assert lossless[0][0].shape == lossy[0][0].shape == (240, 320)
    values = []
    for number, (exact, near, picture) in enumerate(zip(lossless, lossy, decoded(source, 15, 95), strict=True), 15):
        rect = interpolated(keys, number, smooth=False)
        luma = np.ascontiguousarray(cropped(picture, rect)[0])
        scaled = av.VideoFrame.from_ndarray(luma, format="gray").reformat(320, 240, interpolation="BICUBIC")
        difference = np.abs(scaled.to_ndarray().astype(int) - exact[0])
        assert difference.mean() < 1, f"frame {number}"
        if number == 60:
            assert np.array_equal(exact[0], luma), "at its largest size nothing is resampled"
        values.append(ssim(near[0], exact[0]))
    assert np.mean(values) > 0.98


def test_times_of_a_variable_rate_are_kept(export: Run, tmp_path: Path) -> None:
    steps = np.random.default_rng(2).integers(200, 9000, 60)
    source = make(tmp_path / "vfr.mp4", pts=np.cumsum(steps).tolist(), time_base=Fraction(1, 90000))
    result = export(source, FrameSpan(20, 49))
    stamps = np.cumsum(steps)[20:50] - np.cumsum(steps)[20]
    with av.open(str(tmp_path / "staging" / name_of(result, ".mp4"))) as container:
        found = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert found == [int(stamp) * Fraction(1, 90000) for stamp in stamps]
    with av.open(str(tmp_path / "staging" / name_of(result, ".mkv"))) as container:
        found = [frame.pts * frame.time_base for frame in container.decode(video=0)]
    assert max(abs(a - int(b) * Fraction(1, 90000)) for a, b in zip(found, stamps, strict=True)) <= Fraction(1, 2000)
    assert any("variable frame rate" in warning for warning in result.truth.warnings)
    assert any("rounded to 1 ms" in warning for warning in result.truth.warnings)


def beep_and_flash(path: Path, at: Fraction, audio_delay: Fraction, rate: int, audio_codec: str) -> Path:
    """Black and silent, but for one white picture and a click, both at `at` s; sound begins `audio_delay` late."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "250"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = output.add_stream(audio_codec, rate=rate)
        audio.codec_context.layout = "mono"
        for number in range(150):
            luma = np.full((72, 64), 128, np.uint8)
            luma[:48] = 235 if number == at * 25 else 16
            output.mux(video.encode(av.VideoFrame.from_ndarray(luma, format="yuv420p")))
        first = int(audio_delay * rate)
        samples = np.zeros((1, 6 * rate), np.int16)
        samples[0, int(at * rate) : int(at * rate) + rate // 100] = 20000
        for begin in range(first, 6 * rate, 1024):
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, begin : begin + 1024]), "s16p", "mono")
            block.sample_rate, block.pts, block.time_base = rate, begin, Fraction(1, rate)
            output.mux(audio.encode(block))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    return path


def offset(path: Path) -> Fraction:
    """How many seconds the click comes after the flash."""
    with av.open(str(path)) as container:
        flash = next(f.pts * f.time_base for f in container.decode(video=0) if plane_rows(f, 0).mean() > 128)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(
                np.abs(frame.to_ndarray().astype(float)).ravel()
                > (0.3 if "flt" in frame.format.name else 0.3 * 2 ** (8 * frame.format.bytes - 1))
            )
            if len(loud):
                return frame.pts * frame.time_base + Fraction(int(loud[0]), frame.sample_rate) - flash
    raise AssertionError("no click")


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "delay"),
    [
        (".mp4", "aac", 48000, 0),
        (".mp4", "aac", 44100, 1),
        (".mov", "pcm_alaw", 8000, 0),
        (".mov", "pcm_s16le", 37800, 0),
    ],
)
def test_sound_stays_with_the_picture(
    export: Run, tmp_path: Path, suffix: str, codec: str, rate: int, delay: int
) -> None:
    source = beep_and_flash(tmp_path / f"source{suffix}", Fraction(3), Fraction(delay, 2), rate, codec)
    before = offset(source)
    for first in (0, 33):
        (tmp_path / "staging").mkdir(exist_ok=True)
        result = export(source, FrameSpan(first, 120))
        for video in (artifact for artifact in result.artifacts if artifact.role == "video"):
            after = offset(tmp_path / "staging" / video.name)
            assert abs(after - before) < Fraction(1, 300), f"{video.name} from frame {first}"
        found = [w for w in result.truth.warnings if "no sound from 0.000 s" in w]
        assert bool(found) == bool(delay and first == 0)
    if rate == 37800:
        assert any(
            "resampled to 44100 Hz" in warning or "resampled to 32000 Hz" in warning
            for warning in result.truth.warnings
        )


def test_every_audio_track_goes_along(export: Run, tmp_path: Path) -> None:
    source = footage("torchcodec_nasa_13013.mp4")
    result = export(source, FrameSpan(30, 60), h264={"audio": "all"}, ffv1={"audio": "first"})
    with av.open(str(tmp_path / "staging" / name_of(result, ".mp4"))) as container:
        assert [stream.rate for stream in container.streams.audio] == [8000, 16000]
    with av.open(str(tmp_path / "staging" / name_of(result, ".mkv"))) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["flac"]


def test_no_audio_is_named(export: Run, tmp_path: Path) -> None:
    result = export(make(tmp_path / "v.mp4"), FrameSpan(3, 12))
    assert "the source has no audio" in result.truth.warnings


def test_odd_sizes_lose_a_column_in_h264_and_say_so(export: Run, tmp_path: Path) -> None:
    source = make(tmp_path / "v.mp4")
    result = export(source, FrameSpan(3, 12), CropPath(((0, Rect(5, 3, 41, 31)),)))
    assert result.truth.outputs["match_goal.mp4"].width == 40
    assert result.truth.outputs["match_goal.mkv"].width == 41
    assert any("41x31 became 40x30" in warning for warning in result.truth.warnings)
    assert any("between two colour samples" in warning for warning in result.truth.warnings)


def test_a_crop_outside_the_picture_is_moved_inside_and_counted(export: Run, tmp_path: Path) -> None:
    source = make(tmp_path / "v.mp4")
    path = CropPath(((0, Rect(0, 0, 40, 30)), (20, Rect(100, 0, 40, 30))))
    result = export(source, FrameSpan(0, 20), path)
    facts = result.truth.outputs["match_goal.mkv"].crop
    assert facts.applied[-1].rect == (56, 0, 40, 30)
    assert facts.requested[-1].rect == (100, 0, 40, 30)
    assert facts.clamped_frames == 9


def test_an_output_box_keeps_the_aspect_and_never_enlarges_unasked(export: Run, tmp_path: Path) -> None:
    source = make(tmp_path / "v.mp4", size=(320, 180))
    result = export(source, FrameSpan(0, 9), box=(160, 160))
    assert (result.truth.outputs["match_goal.mp4"].width, result.truth.outputs["match_goal.mp4"].height) == (160, 90)
    assert result.truth.outputs["match_goal.mkv"].width == 320, "what is proven is not resampled"
    result = export(source, FrameSpan(0, 9), box=(640, 640), formats=("h264",))
    assert result.truth.outputs["match_goal.mp4"].width == 320
    result = export(source, FrameSpan(0, 9), box=(640, 640), upscale=True, formats=("h264",))
    assert result.truth.outputs["match_goal.mp4"].width == 640


def test_variations_are_files_of_their_own(export: Run, tmp_path: Path) -> None:
    source = make(tmp_path / "v.mp4", size=(320, 180))
    crop = CropPath(((0, Rect(100, 60, 80, 40)),))
    result = export(source, FrameSpan(0, 9), crop, formats=("h264",), variations={"enabled": True})
    sizes = {name: (facts.width, facts.height) for name, facts in result.truth.outputs.items()}
    assert sizes == {
        "match_goal.mp4": (80, 40),
        "match_goal_wide.mp4": (120, 60),
        "match_goal_full.mp4": (320, 180),
    }


def test_artifacts_are_what_lies_in_staging(export: Run, tmp_path: Path) -> None:
    result = export(make(tmp_path / "v.mp4"), FrameSpan(3, 12))
    assert [artifact.role for artifact in result.artifacts] == ["video", "video", "thumbnail", "thumbnail"]
    staged = {artifact.staged_name for artifact in result.artifacts}
    assert staged == {path.name for path in (tmp_path / "staging").iterdir()}
    for artifact in result.artifacts:
        content = (tmp_path / "staging" / artifact.staged_name).read_bytes()
        assert (artifact.size, artifact.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert {(a.name, a.folder) for a in result.artifacts if a.role == "thumbnail"} == {
        ("match_goal.jpg", "h264/cam1/s1"),
        ("match_goal.jpg", "ffv1/cam1/s1"),
    }


def test_the_truth_is_plain_and_complete(export: Run, tmp_path: Path) -> None:
    result = export(make(tmp_path / "v.mp4"), TimeSpan(Fraction(1), Fraction(7, 5)))
    truth = json.loads(json.dumps(result.truth.plain()))
    assert truth["requested"] == {
        "first_frame": None, "last_frame": None, "frames": None, "start_seconds": 1, "end_seconds": 1.4,
    }  # fmt: skip
    assert truth["delivered"] == {
        "first_frame": 25, "last_frame": 34, "frames": 10, "start_seconds": 1, "end_seconds": 1.4,
    }  # fmt: skip
    assert truth["outputs"]["match_goal.mkv"]["proof"] == "frames equal the source's: 10 of 10"
    assert "libavcodec" in truth["tools"]


def test_a_span_beyond_the_end_is_rejected(export: Run, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="60 frames"):
        export(make(tmp_path / "v.mp4"), FrameSpan(50, 60))


@pytest.mark.parametrize("stage", ["encoding", "verifying", "finishing the files"])
def test_a_job_stops_where_it_is_told_to(export: Run, tmp_path: Path, stage: str) -> None:
    def checkpoint(at: str, done: int, total: int) -> None:
        if at == stage:
            raise Superseded("stop")

    with pytest.raises(Superseded, match="stop"):
        export(make(tmp_path / "v.mp4"), FrameSpan(0, 59), checkpoint=checkpoint)


def test_every_frame_is_reported(export: Run, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    export(make(tmp_path / "v.mp4"), FrameSpan(10, 39), checkpoint=lambda *step: seen.append(step))
    assert [(done, total) for stage, done, total in seen if stage == "encoding"] == [(n, 30) for n in range(30)]


def test_a_source_that_cannot_be_read_is_named(export: Run, tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"no video at all" * 1000)
    with pytest.raises(MediaError, match=r"v\.mp4"):
        export(tmp_path / "v.mp4", FrameSpan(0, 1))


@pytest.mark.parametrize("other", ["intel_one-by-one-person-detection.mp4", "docutils_pens.mp4"])
def test_a_source_that_is_overwritten_while_it_is_cut_is_no_error_of_ours(
    export: Run, tmp_path: Path, other: str
) -> None:
    source = tmp_path / "v.mp4"
    source.write_bytes(footage("intel_car-detection.mp4").read_bytes())

    def overwrite(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("encoding", 5):
            source.write_bytes(footage(other).read_bytes())

    with pytest.raises((MediaError, Rejected)):
        export(source, FrameSpan(10, 370), checkpoint=overwrite)


def test_an_estimate_tells_size_and_frames_without_making_anything(tmp_path: Path) -> None:
    source = make(tmp_path / "v.mp4", size=(320, 180))
    settings = Settings(formats=("h264", "ffv1"))
    clip = Clip("id:1", "goal", None, FrameSpan(0, 49), CropPath(((0, Rect(0, 0, 101, 51)),)))
    renditions = plan(clip, settings, camera="", session="", video_stem="match")
    lossy, lossless = estimate(clip, renditions, settings, source, Limits(), None)
    assert (lossy.width, lossy.height, lossless.width, lossless.height) == (100, 50, 101, 51)
    assert lossy.span.count == 50
    assert lossless.size_bytes > 101 * 51 * 50 * 0.7
    assert (lossy.rendition.folder, lossy.rendition.stem) == ("h264/_/_", "match_goal")


@pytest.mark.parametrize(("pixels", "matrix"), [("bgr0", 0), ("bgr0", 1), ("gray", 0)])
def test_colours_are_the_same_whatever_the_source_is_tagged(
    export: Run, tmp_path: Path, pixels: str, matrix: int
) -> None:
    source = make(tmp_path / "v.mkv", "ffv1", count=3, pix_fmt=pixels, colorspace=matrix, color_range=2)
    result = export(source, FrameSpan(0, 2), formats=("h264",), h264={"crf": 4})
    with av.open(str(source)) as before, av.open(str(tmp_path / "staging" / name_of(result, ".mp4"))) as after:
        for wanted, got in zip(before.decode(video=0), after.decode(video=0), strict=True):
            difference = got.to_ndarray(format="rgb24").astype(int) - wanted.to_ndarray(format="rgb24")
            assert np.abs(difference.mean((0, 1))).max() < 2


def two_kinds(folder: Path) -> Path:
    """30 frames of 96x64, then 30 of 160x96."""
    parts = [
        make(folder / "a.ts", count=30, size=(96, 64)),
        make(folder / "b.ts", count=30, size=(160, 96), pts=range(30, 60)),
    ]
    whole = folder / "v.ts"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    return whole


def test_pictures_that_change_their_size_are_never_called_lossless(export: Run, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="frame 30 is 160x96 yuv420p, but v.ts begins as 96x64 yuv420p"):
        export(two_kinds(tmp_path), FrameSpan(20, 40), CropPath(((0, Rect(9, 9, 40, 40)),)))


def test_pictures_that_change_their_size_are_scaled_for_h264_and_that_is_said(export: Run, tmp_path: Path) -> None:
    result = export(two_kinds(tmp_path), FrameSpan(20, 40), CropPath(((0, Rect(9, 9, 40, 40)),)), formats=("h264",))
    assert len(decoded(tmp_path / "staging" / name_of(result, ".mp4"))) == 21
    assert any("at frame 30; 11 frames were scaled" in warning for warning in result.truth.warnings)


def test_damaged_pictures_are_named(export: Run, tmp_path: Path) -> None:
    source = make(tmp_path / "v.mp4", "mpeg4", count=60, size=(320, 240))
    with av.open(str(source)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][31]
    data = bytearray(source.read_bytes())
    for at in range(packet.pos + packet.size // 2, packet.pos + packet.size - 8):
        data[at] ^= 0x5A
    source.write_bytes(data)
    with av.open(str(source)) as container:
        damaged = [number for number, frame in enumerate(container.decode(video=0)) if frame.is_corrupt]
    assert damaged
    result = export(source, FrameSpan(0, 55))
    assert any(f"({damaged[0]}" in warning for warning in result.truth.warnings if "damaged" in warning)


def test_matroska_of_a_variable_rate_names_no_rate(export: Run, tmp_path: Path) -> None:
    times = [0, 3000, 6000, 6900, 9000, 20000, 21000, 29000]
    source = make(tmp_path / "v.mp4", pts=times, time_base=Fraction(1, 90000))
    result = export(source, FrameSpan(0, 7))
    with av.open(str(tmp_path / "staging" / name_of(result, ".mkv"))) as container:
        assert container.streams.video[0].average_rate is None
    for name in (name_of(result, ".mkv"), name_of(result, ".mp4")):
        assert result.truth.outputs[name].seconds == pytest.approx(result.truth.delivered.end_seconds, abs=0.001)


def test_two_formats_in_one_container_do_not_meet_in_staging(export: Run, tmp_path: Path) -> None:
    result = export(make(tmp_path / "v.mp4"), FrameSpan(3, 12), h264={"container": "mkv"})
    videos = [artifact for artifact in result.artifacts if artifact.role == "video"]
    assert [(video.name, video.format) for video in videos] == [("match_goal.mkv", "h264"), ("match_goal.mkv", "ffv1")]
    codecs = []
    for video in videos:
        with av.open(str(tmp_path / "staging" / video.staged_name)) as container:
            codecs.append(container.streams.video[0].codec_context.name)
    assert codecs == ["h264", "ffv1"]
