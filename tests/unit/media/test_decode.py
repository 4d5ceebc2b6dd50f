from __future__ import annotations

import itertools
import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import MediaError
from clipd.media.decode import IndexWrong, frames, still
from clipd.media.decoder import Decoder
from clipd.media.door import Limits
from clipd.media.index import FrameIndex, build, rebuild
from clipd.media.probe import SourceInfo, probe
from clipd.model.timespan import FrameSpan
from tests.footage import REAL, decoded_from_the_start, fingerprint, footage, make

LIMITS = Limits()
X264 = {"preset": "veryfast", "g": "20", "bf": "3"}
OPEN_GOP = {"preset": "veryfast", "g": "25", "bf": "3", "x264-params": "open-gop=1:b-pyramid=normal:scenecut=0"}
X265 = {"preset": "ultrafast", "x265-params": "keyint=20:bframes=4:open-gop=1:log-level=none"}
VPX = {"auto-alt-ref": "1", "lag-in-frames": "16", "g": "40", "cpu-used": "5", "b": "200k"}
MPEG = {"g": "12", "bf": "2"}


def known(path: Path) -> tuple[SourceInfo, FrameIndex]:
    info = probe(path, LIMITS)
    return info, build(path, info, LIMITS)


def spans_of(index: FrameIndex, how_many: int) -> list[FrameSpan]:
    """The first frame, the last one, every kind of neighbourhood of some sync frames, and a few at random."""
    chance = random.Random(index.count)
    last = index.count - 1
    some = chance.sample(index.sync.tolist(), min(3, len(index.sync)))
    around = [FrameSpan(max(0, sync - 2), min(last, sync + 2)) for sync in some]
    firsts = [chance.randrange(index.count) for _ in range(how_many)]
    anywhere = [FrameSpan(first, min(last, first + chance.randrange(12))) for first in firsts]
    return [FrameSpan(0, 0), FrameSpan(last, last), *around, *anywhere]


def assert_exact(path: Path, spans: int) -> None:
    info, index = known(path)
    truth = decoded_from_the_start(path, info.video.index)
    assert index.count == len(truth)
    for span in spans_of(index, spans):
        delivered = list(frames(path, info, index, span, LIMITS, orient=False))
        assert [number for number, _ in delivered] == list(range(span.first, span.last + 1))
        assert [fingerprint(frame) for _, frame in delivered] == truth[span.first : span.last + 1]
        assert [frame.pts for _, frame in delivered] == index.pts[span.first : span.last + 1].tolist()
        ((_, counted),) = frames(path, info, index, FrameSpan(span.last, span.last), LIMITS)
        alone = still(path, info, index, span.last, LIMITS)
        assert (fingerprint(alone), alone.pts) == (fingerprint(counted), counted.pts)


@pytest.mark.footage
@pytest.mark.parametrize("name", REAL)
def test_real_footage_is_delivered_as_decoded_from_the_start(name: str) -> None:
    assert_exact(footage(name), spans=4)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("gop.mp4", "libx264", X264),
        ("open.mp4", "libx264", OPEN_GOP),
        ("open.mkv", "libx264", OPEN_GOP),
        ("open.ts", "libx264", OPEN_GOP),
        ("refresh.ts", "libx264", {"preset": "veryfast", "x264-params": "intra-refresh=1:keyint=25"}),
        ("refresh.mkv", "libx264", {"preset": "veryfast", "x264-params": "intra-refresh=1:keyint=25"}),
        ("interlaced.ts", "libx264", {"preset": "veryfast", "g": "20", "x264-params": "interlaced=1"}),
        ("gop.flv", "libx264", X264),
        ("gop.avi", "libx264", X264),
        ("gop.nut", "libx264", X264),
        ("raw.h264", "libx264", X264),
        ("cra.mp4", "libx265", X265),
        ("cra.ts", "libx265", X265),
        ("cra.mkv", "libx265", X265),
        ("hidden.webm", "libvpx", VPX),
        ("hidden9.webm", "libvpx-vp9", VPX),
        ("mpeg2.ts", "mpeg2video", MPEG),
        ("mpeg2.mpg", "mpeg2video", MPEG),
        ("mpeg2.mxf", "mpeg2video", MPEG),
        ("mpeg4.avi", "mpeg4", MPEG),
        ("mpeg4.mp4", "mpeg4", MPEG),
        ("wmv.asf", "wmv2", {"g": "12"}),
    ],
)
def test_every_codec_and_container_is_delivered_as_decoded_from_the_start(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    assert_exact(make(tmp_path / name, codec, count=90, options=options), spans=8)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("odd.mkv", "ffv1", "yuv444p"),
        ("ten.mkv", "ffv1", "yuv420p10le"),
        ("wide.mov", "prores_ks", "yuv422p10le"),
        ("jpeg.mov", "mjpeg", "yuvj420p"),
        ("still.gif", "gif", "rgb8"),
    ],
)
def test_every_pixel_format_and_odd_size_is_delivered(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    assert_exact(make(tmp_path / name, codec, count=20, size=(97, 61), pix_fmt=pix_fmt), spans=4)


VARIABLE = list(itertools.accumulate([33, 34, 120, 7, 500, 40] * 15, initial=0))


@pytest.mark.parametrize(
    ("name", "pts", "time_base"),
    [
        ("variable.mkv", VARIABLE, Fraction(1, 1000)),
        ("variable.mp4", VARIABLE, Fraction(1, 1000)),
        ("late.ts", range(10**6, 10**6 + 80 * 3600, 3600), Fraction(1, 90000)),
        ("late.mp4", range(1000, 1080), Fraction(1, 25)),
        ("negative.mkv", range(-5, 75), Fraction(1, 25)),
        ("trimmed.mp4", range(-5, 75), Fraction(1, 25)),
    ],
)
def test_any_times_are_delivered(tmp_path: Path, name: str, pts: list[int], time_base: Fraction) -> None:
    assert_exact(make(tmp_path / name, pts=pts, time_base=time_base, options=X264), spans=6)


def test_a_stream_of_which_the_beginning_is_missing(tmp_path: Path) -> None:
    for name, codec, options in (
        ("a.ts", "libx264", OPEN_GOP),
        ("b.ts", "libx265", X265),
        ("c.ts", "mpeg2video", MPEG),
    ):
        data = make(tmp_path / name, codec, count=120, options=options).read_bytes()
        path = tmp_path / f"late-{name}"
        path.write_bytes(data[len(data) // 3 // 188 * 188 :])
        assert_exact(path, spans=6)


def test_pictures_that_are_never_shown_have_no_number(tmp_path: Path) -> None:
    with av.open(str(make(tmp_path / "all.webm", "libvpx", count=60, options=VPX))) as shown:
        stream = shown.streams.video[0]
        packets = [packet for packet in shown.demux(stream) if packet.size]
        path = tmp_path / "some.webm"
        with av.open(str(path), "w") as output:
            copy = output.add_stream_from_template(stream)
            for number, packet in enumerate(packets):
                data = bytearray(bytes(packet))
                if number % 7 == 3 and not packet.is_keyframe:
                    data[0] &= ~0x10  # show_frame
                hidden = av.Packet(bytes(data))
                hidden.pts, hidden.dts, hidden.time_base = packet.pts, packet.dts, packet.time_base
                hidden.is_keyframe, hidden.stream = packet.is_keyframe, copy
                output.mux(hidden)
    _, index = known(path)
    assert (index.method, index.count < 60) == ("packets", True)
    assert_exact(path, spans=8)


def test_a_clock_that_wraps_around_goes_on(tmp_path: Path) -> None:
    pts = range(2**33 - 3600 * 40, 2**33 + 3600 * 40, 3600)
    path = tmp_path / "wraps.ts"
    make(path, pts=pts, time_base=Fraction(1, 90000), options=X264, container_options={"mpegts_copyts": "1"})
    assert known(path)[1].time(80) == Fraction(80, 25)
    assert_exact(path, spans=6)


def test_joined_streams_are_counted_through(tmp_path: Path) -> None:
    path = tmp_path / "joined.ts"
    path.write_bytes(make(tmp_path / "one.ts", count=40, options=X264).read_bytes() * 2)
    assert_exact(path, spans=4)


def test_frames_stand_upright_unless_told_otherwise(tmp_path: Path) -> None:
    path = make(tmp_path / "turned.mp4", count=5, rotation=-90)
    info, index = known(path)
    ((_, upright),) = frames(path, info, index, FrameSpan(3, 3), LIMITS)
    ((_, coded),) = frames(path, info, index, FrameSpan(3, 3), LIMITS, orient=False)
    assert (upright.width, upright.height, coded.width, coded.height) == (64, 96, 96, 64)
    assert upright.pts == coded.pts == index.pts[3]


def test_no_more_is_decoded_than_is_asked_for(tmp_path: Path) -> None:
    path = make(tmp_path / "video.mp4", count=60, options=X264)
    info, index = known(path)
    stream = frames(path, info, index, FrameSpan(30, 32), LIMITS, threads=1)
    assert [number for number, _ in stream] == [30, 31, 32]


def test_a_still_passes_over_what_no_other_frame_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "video.mp4", count=60, options={**X264, "g": "60", "sc_threshold": "0"})
    info, index = known(path)
    delivered = []
    decode = Decoder.frames
    monkeypatch.setattr(Decoder, "frames", lambda self, packet: delivered.extend(got := decode(self, packet)) or got)
    assert still(path, info, index, 50, LIMITS, threads=1).pts == index.pts[50]
    assert len(delivered) < 40


def test_a_still_behind_a_damaged_place_is_shown_though_it_cannot_be_counted(tmp_path: Path) -> None:
    path = make(tmp_path / "video.mkv", count=60, options={**X264, "g": "60"})
    info, index = known(path)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    damaged = max(packets[20:30], key=lambda packet: packet.size)  # others refer to it
    data = bytearray(path.read_bytes())
    data[damaged.pos + 8 : damaged.pos + damaged.size] = bytes(damaged.size - 8)
    path.write_bytes(data)
    assert fingerprint(still(path, info, index, 10, LIMITS)) == fingerprint(
        next(frame for _, frame in frames(path, info, index, FrameSpan(10, 10), LIMITS))
    )
    with pytest.raises(IndexWrong, match="frame 40 of 60 cannot be delivered"):
        list(frames(path, info, index, FrameSpan(40, 40), LIMITS))
    assert still(path, info, index, 40, LIMITS).pts == index.pts[40]
    with pytest.raises(IndexWrong, match="frame 24 of 60 cannot be delivered"):
        still(path, info, index, 24, LIMITS)


def without(index: FrameIndex, number: int) -> FrameIndex:
    """What an index would be that overlooked one frame."""
    pts = [stamp for place, stamp in enumerate(index.pts.tolist()) if place != number]
    return FrameIndex(
        np.asarray(pts, dtype=np.int64), index.sync[:1], index.sync_dts[:1], index.end_pts, index.time_base, "packets"
    )


def test_an_index_that_is_wrong_is_found_out_and_can_be_rebuilt(tmp_path: Path) -> None:
    path = make(tmp_path / "video.mkv", count=90, options=X264)
    info, index = known(path)
    wrong = without(index, 7)
    with pytest.raises(IndexWrong, match=r"video\.mkv: frame \d+ of 89 cannot be delivered"):
        list(frames(path, info, wrong, FrameSpan(20, 30), LIMITS))
    right = rebuild(path, info, LIMITS, None)
    assert right.count == 90
    assert len(list(frames(path, info, right, FrameSpan(20, 30), LIMITS))) == 11


def test_a_frame_that_is_gone_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "video.ts", count=60, options=X264)
    info, index = known(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"frame \d+ of 60 cannot be delivered"):
        list(frames(path, info, index, FrameSpan(50, 59), LIMITS))
