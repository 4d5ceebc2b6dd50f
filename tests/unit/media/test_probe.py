from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import MediaError, Rejected
from clipd.media.door import Limits
from clipd.media.orientation import Orientation
from clipd.media.probe import ColorTags, NotReady, probe
from tests.footage import footage, make

LIMITS = Limits()


@pytest.mark.footage
def test_a_phone_clip_is_described_upright() -> None:
    info = probe(footage("docutils_pens.mp4"), LIMITS)
    video = info.video
    assert (video.width, video.height, video.coded_width, video.coded_height) == (144, 176, 176, 144)
    assert (video.codec, video.pix_fmt, video.bits, video.time_base) == ("h264", "yuvj420p", 8, Fraction(1, 90000))
    assert video.orientation is Orientation.CLOCKWISE
    assert video.color == ColorTags(6, 6, 6, 2)
    assert [(track.codec, track.rate, track.layout, track.bits) for track in info.audio] == [
        ("aac", 48000, "stereo", 24)
    ]
    assert "the picture is turned upright (clockwise)" in info.notes


@pytest.mark.footage
def test_of_several_video_tracks_the_first_that_is_shown_is_chosen_and_named() -> None:
    info = probe(footage("torchcodec_nasa_13013.mp4"), LIMITS)
    assert (info.video.index, info.video.width, info.video.height, info.video_tracks) == (0, 320, 180, 2)
    assert [track.index for track in info.audio] == [1, 4]
    assert info.other_tracks == ("subtitle: mov_text", "subtitle: mov_text")
    assert info.notes == ("2 video tracks: 0 (320x180), 3 (480x270); track 0 is used",)


@pytest.mark.footage
def test_pixels_that_are_not_square_and_no_duration_in_the_track() -> None:
    info = probe(footage("mdnshared_tears-of-steel-battle-clip-medium.webm"), LIMITS)
    assert (info.video.sar, info.video.codec, info.duration) == (Fraction(399, 400), "vp8", Fraction(35271, 500))
    assert info.audio[0].codec == "vorbis"


def test_sound_of_a_camera(tmp_path: Path) -> None:
    path = tmp_path / "camera.mov"
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 32, 16, "yuv420p"
        audio = output.add_stream("pcm_alaw", rate=8000)
        audio.codec_context.layout = "mono"
        for number in range(5):
            frame = av.VideoFrame(32, 16, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.pts, frame.time_base = number, Fraction(1, 10)
            output.mux(video.encode(frame))
        sound = av.AudioFrame("s16", "mono", 4000)
        sound.planes[0].update(bytes(sound.planes[0].buffer_size))
        sound.sample_rate, sound.pts = 8000, 0
        output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    (track,) = probe(path, LIMITS).audio
    assert (track.codec, track.rate, track.channels, track.layout, track.bits) == ("pcm_alaw", 8000, 1, "mono", 16)


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "bits"),
    [
        ("a.mkv", "libx264", "yuv420p10le", 10),
        ("b.mkv", "ffv1", "yuv422p", 8),
        ("c.mov", "prores_ks", "yuv422p10le", 10),
    ],
)
def test_depth_and_chroma_are_those_of_the_frames(
    tmp_path: Path, name: str, codec: str, pix_fmt: str, bits: int
) -> None:
    video = probe(make(tmp_path / name, codec, count=3, size=(50, 34), pix_fmt=pix_fmt), LIMITS).video
    assert (video.pix_fmt, video.bits, video.width, video.height) == (pix_fmt, bits, 50, 34)


def test_a_turned_picture_with_half_the_chroma_across_gets_half_the_chroma_down(tmp_path: Path) -> None:
    video = probe(make(tmp_path / "a.mp4", count=3, pix_fmt="yuv422p10le", rotation=90), LIMITS).video
    assert (video.pix_fmt, video.width, video.height) == ("yuv440p10le", 64, 96)


def test_high_dynamic_range_is_found_and_named(tmp_path: Path) -> None:
    parameters = (
        "log-level=none:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
        ":max-cll=1000,400:hdr10=1:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    )
    options = {"preset": "ultrafast", "x265-params": parameters}
    info = probe(make(tmp_path / "hdr.mp4", "libx265", count=3, pix_fmt="yuv420p10le", options=options), LIMITS)
    assert info.video.hdr == ("mastering display", "content light level")
    assert info.video.color == ColorTags(9, 16, 9, 1)
    assert "HDR: mastering display, content light level" in info.notes


def test_interlaced_video_is_said_to_be(tmp_path: Path) -> None:
    options = {"preset": "veryfast", "x264-params": "interlaced=1"}
    info = probe(make(tmp_path / "i.ts", count=10, size=(96, 64), options=options), LIMITS)
    assert info.video.interlaced
    assert "the video is interlaced; its frames are kept as they are" in info.notes


def test_a_file_without_video_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as output:
        audio = output.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame("s16", "mono", 4000)
        sound.sample_rate = 8000
        sound.planes[0].update(bytes(sound.planes[0].buffer_size))
        output.mux(audio.encode(sound))
    with pytest.raises(MediaError, match="holds no video") as caught:
        probe(path, LIMITS)
    assert not isinstance(caught.value, NotReady)


def unfinished(whole: bytes) -> dict[str, bytes]:
    moov = whole.index(b"moov") - 4
    return {
        "empty": b"",
        "no index yet": whole[:moov],
        "index cut off": whole[: moov + 40],
        "data cut off": whole[: moov // 2],
        "zeros": bytes(100_000),
        "a few bytes": whole[:6] + b"",
        "reserved": whole[:moov] + bytes(len(whole) - moov),
    }


@pytest.mark.parametrize("state", [state for state in unfinished(b"    moov") if state != "a few bytes"])
def test_a_file_that_is_still_being_written_is_not_ready(tmp_path: Path, state: str) -> None:
    whole = make(tmp_path / "whole.mp4", count=20).read_bytes()
    path = tmp_path / "growing.mp4"
    path.write_bytes(unfinished(whole)[state])
    with pytest.raises(NotReady):
        probe(path, LIMITS)


def test_rubbish_is_an_error_not_a_file_to_wait_for(tmp_path: Path) -> None:
    path = tmp_path / "rubbish.mp4"
    path.write_bytes(b"This is no video at all. " * 500)
    with pytest.raises(MediaError) as caught:
        probe(path, LIMITS)
    assert not isinstance(caught.value, NotReady)


@pytest.mark.parametrize("name", ["early.mp4", "early.mkv"])
def test_a_file_that_ends_early_says_so(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name, count=60, container_options={"movflags": "faststart"} if name.endswith("mp4") else {})
    whole = path.read_bytes()
    assert probe(path, LIMITS).missing_bytes == 0
    path.write_bytes(whole[:-500])
    assert probe(path, LIMITS).missing_bytes == 500
    assert "the file ends 500 bytes early" in probe(path, LIMITS).notes


def test_a_whole_real_file_is_not_taken_to_end_early() -> None:
    folder = footage("mdn_friday.mp4").parent
    films = [path for path in sorted(folder.iterdir()) if path.suffix in (".mp4", ".webm", ".mkv", ".mov")]
    assert len(films) >= 5
    assert [film.name for film in films if probe(film, LIMITS).missing_bytes] == []


def test_pictures_larger_than_allowed_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "large.mp4", count=2, size=(640, 480))
    with pytest.raises(Rejected, match="pictures of 640x480"):
        probe(path, Limits(max_pixels=640 * 479))
    assert probe(path, Limits(max_pixels=640 * 480)).video.width == 640


def test_a_video_longer_than_allowed_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "long.mp4", count=2, pts=[0, 2 * 3600 * 25])
    with pytest.raises(Rejected, match="hours long"):
        probe(path, Limits(max_duration_hours=1))


def test_a_box_that_claims_more_than_there_is_does_not_hang(tmp_path: Path) -> None:
    path = tmp_path / "boxes.mp4"
    path.write_bytes(struct.pack(">I4sI", 8, b"ftyp", 0) + struct.pack(">I4sQ", 1, b"free", 0) * 50)
    with pytest.raises(MediaError):
        probe(path, LIMITS)


def test_sound_that_begins_long_after_the_picture_is_described_as_far_as_known(tmp_path: Path) -> None:
    silent = make(tmp_path / "a.ts", count=250, size=(640, 360), options={"crf": "4", "preset": "ultrafast"})
    with av.open(str(tmp_path / "b.ts"), "w") as output:
        video, audio = output.add_stream("libx264", rate=25), output.add_stream("aac", rate=48000)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        for number in range(25):
            frame = av.VideoFrame(640, 360, "yuv420p")
            frame.pts, frame.time_base = 250 + number, Fraction(1, 25)
            output.mux(video.encode(frame))
        for number in range(40):
            block = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            block.sample_rate, block.pts, block.time_base = 48000, 480000 + number * 1024, Fraction(1, 48000)
            output.mux(audio.encode(block))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    path = tmp_path / "v.ts"
    path.write_bytes(silent.read_bytes() + (tmp_path / "b.ts").read_bytes())
    assert silent.stat().st_size > 5_000_000
    (track,) = probe(path, LIMITS).audio
    assert (track.codec, track.rate, track.channels, track.sample_format, track.bits) == ("aac", 0, 0, "", 24)
