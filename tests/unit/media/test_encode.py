from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from clipd.errors import Deferred, MediaError
from clipd.media.encode import Encoder, Recipe, encoding
from clipd.media.probe import ColorTags
from tests.footage import pictures

TIMES = (0, 1001, 2002, 5000, 5017, 9000, 9001, 30000)
"""A variable rate, in ticks of 1/30000 s."""


def recipe(**changes: object) -> Recipe:
    facts = {
        "extension": "mp4",
        "codec": "libx264",
        "pixels": "yuv420p",
        "width": 96,
        "height": 64,
        "time_base": Fraction(1, 30000),
        "rate": Fraction(30000, 1001),
        "sar": Fraction(4, 3),
        "color": ColorTags(9, 16, 9, 1),
        "options": {"crf": "30", "preset": "ultrafast"},
    }
    return Recipe(**(facts | changes))  # type: ignore[arg-type]


def write(path: Path, made: Recipe, times: tuple[int, ...] = TIMES, last: int = 700) -> None:
    ends = (*times[1:], times[-1] + last)
    with encoding(path, made, 2) as encoder:
        for frame, begin, end in zip(pictures(len(times), made.width, made.height), times, ends, strict=True):
            encoder.picture(frame, begin, end - begin)
        encoder.finish()


def test_times_are_exact_and_the_last_duration_survives(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", recipe())
    with av.open(str(tmp_path / "v.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.time_base == Fraction(1, 30000)
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert sorted(packet.pts for packet in packets) == list(TIMES)
        assert max((packet.pts, packet.duration) for packet in packets) == (30000, 700)


def test_tags_and_pixel_aspect_are_written(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", recipe())
    with av.open(str(tmp_path / "v.mp4")) as container:
        context = container.streams.video[0].codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace, context.color_range)
        assert tags == (9, 16, 9, 1)
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_picture_types_of_the_source_do_not_reach_the_encoder(tmp_path: Path) -> None:
    with encoding(tmp_path / "v.mp4", recipe(), 1) as encoder:
        for number, frame in enumerate(pictures(20, 96, 64)):
            frame.pict_type = 1
            encoder.picture(frame, number * 1001, 1001)
        encoder.finish()
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert sum(packet.is_keyframe for packet in container.demux(video=0)) == 1


def test_the_index_comes_before_the_pictures(tmp_path: Path) -> None:
    write(tmp_path / "v.mp4", recipe(container_options={"movflags": "+faststart"}))
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_full_disk_is_nobodys_fault(tmp_path: Path) -> None:
    (tmp_path / "v.mkv").symlink_to("/dev/full")
    with pytest.raises(Deferred, match="No space left"):
        write(tmp_path / "v.mkv", recipe(extension="mkv"))


def test_what_the_encoder_refuses_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"v\.mp4 could not be encoded"):
        Encoder(tmp_path / "v.mp4", recipe(width=95), 1)
