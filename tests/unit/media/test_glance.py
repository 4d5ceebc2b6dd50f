from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import MediaError, Rejected
from clipd.media.door import Limits
from clipd.media.envelope import Heard
from clipd.media.glance import Glance, Settings, Viewing
from clipd.media.index import build
from clipd.media.probe import probe
from tests.footage import REAL, footage, make


def viewing(path: Path, limits: Limits | None = None, **settings: object) -> Viewing:
    limits = limits or Limits()
    return Viewing(path, probe(path, limits), limits, Settings.model_validate(settings))


def glances(seen: Viewing) -> list[Glance]:
    return [one for one in seen if isinstance(one, Glance)]


@pytest.mark.footage
@pytest.mark.parametrize("name", REAL)
def test_every_frame_is_seen_under_its_number_and_at_its_time(name: str) -> None:
    path = footage(name)
    index = build(path, probe(path, Limits()), Limits())
    seen = viewing(path)

    numbers = [(one.number, one.seconds) for one in seen if isinstance(one, Glance)]

    truth = [float(index.time(number)) for number in range(index.count)]
    assert [number for number, _ in numbers] == list(range(index.count))
    # While it passes, a file whose times are out of order tells them only nearly.
    assert [seconds for _, seconds in numbers] == pytest.approx(truth, abs=0.04)
    assert (np.diff([seconds for _, seconds in numbers]) > 0).all()
    times, end = seen.times()
    assert times.tolist() == truth
    assert end == float(index.time(index.count))


@pytest.mark.parametrize(
    ("size", "small"),
    [((640, 360), (160, 90)), ((360, 640), (160, 284)), ((96, 64), (96, 64)), ((98, 50), (98, 50)), ((2, 2), (2, 2))],
)
def test_pictures_are_small_with_their_aspect_kept(
    tmp_path: Path, size: tuple[int, int], small: tuple[int, int]
) -> None:
    first = glances(viewing(make(tmp_path / "a.mp4", size=size, count=3)))[0]

    assert first.luma.shape == small[::-1]
    assert {plane.shape for plane in first.chroma} == {(small[1] // 2, small[0] // 2)}


def test_what_changed_is_told_of_each_plane_and_kept_pictures_stay(tmp_path: Path) -> None:
    seen = glances(viewing(make(tmp_path / "a.mp4", size=(640, 360), count=12)))

    assert seen[0].changes == (0.0, 0.0, 0.0)
    for before, now in pairwise(seen):
        pairs = zip((now.luma, *now.chroma), (before.luma, *before.chroma), strict=True)
        truth = [np.abs(one.astype(int) - other).mean() for one, other in pairs]
        assert now.changes == pytest.approx(truth)
    assert seen[-1].changes[0] > 0


@pytest.mark.parametrize("scaler", ["fast_bilinear", "bilinear", "area"])
def test_what_is_seen_is_the_picture(tmp_path: Path, scaler: str) -> None:
    path = make(tmp_path / "a.mkv", "ffv1", size=(640, 360), count=2)
    with av.open(str(path)) as container:
        truth = next(container.decode(video=0)).to_ndarray()[:360].astype(float)

    (luma, *_) = (one.luma for one in glances(viewing(path, scaler=scaler)))

    assert luma.mean() == pytest.approx(truth.mean(), rel=0.03)
    assert np.corrcoef(luma.ravel(), truth.reshape(90, 4, 160, 4).mean((1, 3)).ravel())[0, 1] > 0.6


@pytest.mark.parametrize(("pixels", "full"), [("yuvj420p", True), ("yuv420p", False)])
def test_range_stays_as_coded(tmp_path: Path, pixels: str, full: bool) -> None:
    path = make(tmp_path / "a.mp4", pix_fmt=pixels, size=(320, 180), count=2, color_range=2 if full else 1)
    seen = viewing(path)

    for one in seen:
        assert isinstance(one, Glance)
        luma = seen.whole().planes[0]
        assert seen.whole().is_full_range == full
        assert one.luma.mean() == pytest.approx(luma.mean(), rel=0.03)


def test_the_whole_frame_is_there_for_who_needs_it_and_can_be_kept(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", "ffv1", pix_fmt="yuv422p10le", size=(98, 62), count=5)
    seen = viewing(path)
    kept = [seen.whole() for one in seen if isinstance(one, Glance)]

    with av.open(str(path)) as container:
        for whole, frame in zip(kept, container.decode(video=0), strict=True):
            assert [plane.shape for plane in whole.planes] == [(62, 98), (62, 49), (62, 49)]
            assert whole.bits == 10
            luma = np.frombuffer(memoryview(frame.planes[0]), "<u2").reshape(62, -1)[:, :98]
            assert np.array_equal(whole.planes[0], luma)


def test_pictures_that_change_their_size_are_seen_alike(tmp_path: Path) -> None:
    parts = [make(tmp_path / f"{width}.ts", size=(width, 90), count=10) for width in (160, 320)]
    joined = tmp_path / "a.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))

    assert {one.luma.shape for one in glances(viewing(joined))} == {(90, 160)}


def test_sound_and_pictures_come_from_one_reading() -> None:
    seen = viewing(footage("mdn_friday.mp4"))

    kinds = [type(one) for one in seen]

    assert kinds.count(Glance) == 185
    assert kinds.index(Heard) < 60
    assert seen.has_sound


def test_a_tick_comes_before_every_packet_and_can_stop(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", count=20)
    ticks: list[int] = []

    def tick() -> None:
        ticks.append(0)
        if len(ticks) == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        list(Viewing(path, probe(path, Limits()), Limits(), Settings(), tick=tick))

    assert len(ticks) == 5


def test_too_many_frames_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", count=20)

    with pytest.raises(Rejected, match="max_frames"):
        glances(viewing(path, Limits(max_frames=10)))


def test_neither_video_nor_sound_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ass")
        stream.codec_context.subtitle_header = b"[Script Info]\n"
        output.start_encoding()
        packet = av.Packet(b"0,0,Default,,0,0,0,,words")
        packet.stream, packet.pts, packet.dts, packet.duration = stream, 0, 0, 1000
        output.mux(packet)

    with pytest.raises(MediaError, match="neither video nor sound"):
        list(Viewing(path, None, Limits(), Settings()))
