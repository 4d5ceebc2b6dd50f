"""Files joined by copying, decoded by plain means and compared with the film that their slices were cut from."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from clipd.errors import Deferred, MediaError, Superseded
from clipd.media import remux
from clipd.media.door import Limits
from clipd.media.packets import CannotCopy, Slice
from clipd.media.remux import Joined, copy_joined, extension_for
from tests.beeps import beep_film, beeps, cut, flashes, times_of
from tests.footage import decoded_from_the_start, footage, make

SECOND = Fraction(1)
FRAME = Fraction(1, 25)


def join(slices: list[Slice], output: Path) -> Joined:
    return copy_joined(slices, output, Limits(), threads=1, checkpoint=lambda stage, done, total: None)


def in_a_row(paths: list[Path], frames: list[int] | None = None) -> list[Slice]:
    """Slices of recordings that follow each other without a gap, each placed by the frames before it."""
    counts = frames or [len(times_of(path)) for path in paths]
    return [Slice(path, sum(counts[:number]) * FRAME) for number, path in enumerate(paths)]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds with B-frames and a sync frame every second."""
    return beep_film(tmp_path_factory.mktemp("film") / "film.mp4", seconds=12)


KINDS = (("ts", False), ("mp4", False), ("mp4", True), ("mkv", False))


@pytest.mark.parametrize("target", ["mp4", "mkv"])
@pytest.mark.parametrize(("extension", "fragmented"), KINDS, ids=["ts", "mp4", "fmp4", "mkv"])
def test_recordings_in_a_row_give_the_film_again(
    film: Path, extension: str, fragmented: bool, target: str, tmp_path: Path
) -> None:
    recordings = cut(film, tmp_path / "recordings", extension, 4, fragmented=fragmented)
    assert len(recordings) == 3
    output = tmp_path / f"joined.{target}"
    joined = join(in_a_row(recordings), output)
    assert joined.frames == 300
    assert decoded_from_the_start(output, 0) == decoded_from_the_start(film, 0)
    times = times_of(output)
    assert all(abs(time - number * FRAME) <= Fraction(1, 1000) for number, time in enumerate(times))
    assert joined.seconds == 12
    assert not joined.gaps
    assert [part.frames for part in joined.slices] == [100, 100, 100]
    assert [len(part.sync) for part in joined.slices] == [4, 4, 4]
    assert not joined.notes[target == "mkv" :]
    in_step(output, 12)


def in_step(path: Path, count: int, tolerance: float = 0.024) -> None:
    """Beeps begin with the flashes, to one audio frame (21 ms) and the accuracy of finding them, and do not drift.

    Matroska has no edit list for the frame that AAC needs to begin with: there the first one fades in.
    """
    seen, heard = flashes(path), beeps(path)
    assert len(seen) == len(heard) == count
    offsets = [sound - light for light, sound in zip(seen, heard, strict=True)][path.suffix == ".mkv" :]
    assert max(offsets) - min(offsets) <= tolerance
    assert max(map(abs, offsets)) <= tolerance


def test_containers_can_be_mixed(film: Path, tmp_path: Path) -> None:
    ts, mp4 = (cut(film, tmp_path / name, name, 4) for name in ("ts", "mp4"))
    for number, chosen in enumerate(([ts[0], mp4[1], ts[2]], [mp4[0], ts[1], mp4[2]])):
        output = tmp_path / f"{number}.mp4"
        join(in_a_row(chosen), output)
        assert decoded_from_the_start(output, 0) == decoded_from_the_start(film, 0)
        in_step(output, 12)


def test_a_missing_recording_leaves_a_named_gap_and_everything_else_in_place(film: Path, tmp_path: Path) -> None:
    first, _, third = in_a_row(cut(film, tmp_path / "recordings", "mp4", 4))
    joined = join([first, third], tmp_path / "joined.mp4")
    assert joined.gaps == ((Fraction(4), Fraction(8)),)
    assert (joined.first, joined.end, joined.seconds) == (0, 12, 12)
    assert [part.first for part in joined.slices] == [0, 8]
    times = times_of(tmp_path / "joined.mp4")
    assert times[99:101] == [Fraction(99, 25), Fraction(8)]
    in_step(tmp_path / "joined.mp4", 8)


def test_a_gap_can_be_closed_by_the_caller(film: Path, tmp_path: Path) -> None:
    recordings = cut(film, tmp_path / "recordings", "mp4", 4)
    joined = join([Slice(recordings[0], Fraction(0)), Slice(recordings[2], Fraction(4))], tmp_path / "joined.mp4")
    assert not joined.gaps
    assert joined.seconds == 8
    in_step(tmp_path / "joined.mp4", 8)


def test_the_clock_is_the_callers(film: Path, tmp_path: Path) -> None:
    noon = 1_756_470_615 + Fraction(123_456_789, 10**9)
    slices = in_a_row(cut(film, tmp_path / "recordings", "ts", 4))
    joined = join([Slice(one.path, one.at + noon) for one in slices], tmp_path / "joined.mp4")
    assert [part.first - noon for part in joined.slices] == [0, 4, 8]
    assert joined.slices[0].sync == tuple(noon + second for second in range(4))
    assert joined.end - noon == 12
    assert times_of(tmp_path / "joined.mp4")[0] == 0


def test_a_span_begins_with_the_sync_frame_before_it_and_covers_its_end(film: Path, tmp_path: Path) -> None:
    wanted = Slice(film, Fraction(100), Fraction("2.5"), Fraction("7.3"))
    joined = join([wanted], tmp_path / "joined.mp4")
    assert joined.first == 102
    assert Fraction("107.3") <= joined.end <= Fraction("107.3") + 5 * FRAME
    shown = decoded_from_the_start(tmp_path / "joined.mp4", 0)
    assert shown == decoded_from_the_start(film, 0)[50 : 50 + len(shown)]
    in_step(tmp_path / "joined.mp4", 6)


def test_slices_that_overlap_are_cut_at_the_joint(film: Path, tmp_path: Path) -> None:
    early = Slice(film, Fraction(0), None, Fraction("6.2"))
    late = Slice(film, Fraction(0), Fraction(5), None)
    joined = join([early, late], tmp_path / "joined.mp4")
    assert joined.slices[1].first == 5
    assert joined.slices[0].cut > 0
    assert joined.slices[0].lost == 0
    assert decoded_from_the_start(tmp_path / "joined.mp4", 0) == decoded_from_the_start(film, 0)
    in_step(tmp_path / "joined.mp4", 12)


def test_sixty_joints_do_not_drift(tmp_path: Path) -> None:
    film = beep_film(tmp_path / "film.mp4", seconds=60, rate=10, gop=10, sound_rate=44_100)
    recordings = cut(film, tmp_path / "recordings", "ts", 1)
    assert len(recordings) == 60
    slices = [Slice(path, Fraction(number)) for number, path in enumerate(recordings)]
    joined = join(slices, tmp_path / "joined.mp4")
    assert joined.frames == 600
    in_step(tmp_path / "joined.mp4", 60)


def test_recordings_encoded_one_by_one_stay_in_step(tmp_path: Path) -> None:
    """Each brings the priming samples of its own encoder, which belong to no moment."""
    recordings = [beep_film(tmp_path / f"{n}.mp4", seconds=2, first=n * 50) for n in range(6)]
    joined = join(in_a_row(recordings), tmp_path / "joined.mp4")
    assert joined.frames == 300
    assert joined.sound_moved <= Fraction(512, 48_000)
    # Half a frame that sound is moved, and a beep at the joint that lacks the frame its decoder would begin with.
    in_step(tmp_path / "joined.mp4", 12, tolerance=0.034)


def test_open_groups_are_joined_without_their_leading_frames(tmp_path: Path) -> None:
    options = {"x264-params": "open-gop=1:keyint=25:min-keyint=25:scenecut=0:bframes=3:b-adapt=0"}
    film = beep_film(tmp_path / "film.mp4", seconds=6, options=options)
    whole = decoded_from_the_start(film, 0)
    joined = join([Slice(film, Fraction(0), Fraction("2.5"))], tmp_path / "joined.mp4")
    shown = decoded_from_the_start(tmp_path / "joined.mp4", 0)
    assert shown == whole[len(whole) - len(shown) :]
    assert joined.frames == len(shown)
    assert joined.first <= Fraction("2.5")


def test_a_file_that_starts_in_the_middle_of_a_group_names_what_it_lacks(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "late.ts"
    with av.open(str(film)) as source, av.open(str(broken), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if number >= 10 and packet.size:
                packet.stream = stream
                target.mux(packet)
    joined = join([Slice(broken)], tmp_path / "joined.mp4")
    assert joined.frames == 275
    assert joined.slices[0].undecodable in range(12, 16)
    assert any("need an earlier recording" in note for note in joined.notes)


@pytest.mark.parametrize(("extension", "fragmented"), [("ts", False), ("mp4", True)], ids=["ts", "fmp4"])
def test_a_recording_that_was_cut_off_ends_with_its_last_whole_frame(
    film: Path, extension: str, fragmented: bool, tmp_path: Path
) -> None:
    first, second, third = cut(film, tmp_path / "recordings", extension, 4, fragmented=fragmented)
    second.write_bytes(second.read_bytes()[: second.stat().st_size * 2 // 3])
    joined = join([Slice(first), Slice(second, Fraction(4)), Slice(third, Fraction(8))], tmp_path / "joined.mp4")
    assert 25 <= joined.slices[1].frames < 100
    assert joined.gaps == ((joined.slices[1].end, Fraction(8)),)
    whole = decoded_from_the_start(film, 0)
    shown = decoded_from_the_start(tmp_path / "joined.mp4", 0)
    assert shown == [whole[round(time / FRAME)] for time in times_of(tmp_path / "joined.mp4")]
    assert shown[-100:] == whole[200:]
    lights = flashes(tmp_path / "joined.mp4")
    for sound in beeps(tmp_path / "joined.mp4"):
        assert min(abs(sound - light) for light in lights) <= 0.024


def test_sound_that_begins_late_and_ends_early_is_named(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with av.open(str(beep_film(tmp_path / "whole.mp4", seconds=4))) as source, av.open(str(film), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.size and (packet.stream.type == "video" or 1 <= packet.pts * packet.time_base < 3):
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    joined = join([Slice(film), Slice(film, Fraction(10))], tmp_path / "joined.mp4")
    holes = [note for note in joined.notes if "no sound from" in note]
    assert [note.partition("from ")[2][:5] for note in holes] == ["0.000", "3.007", "10.00", "13.00"]


def test_a_full_disk_is_nobodys_fault(film: Path, tmp_path: Path) -> None:
    (tmp_path / "joined.mkv").symlink_to("/dev/full")
    with pytest.raises(Deferred, match="No space left"):
        join([Slice(film)], tmp_path / "joined.mkv")


def test_the_end_need_not_be_decoded(film: Path, tmp_path: Path) -> None:
    joined = copy_joined(
        [Slice(film)],
        tmp_path / "joined.mp4",
        Limits(),
        checkpoint=lambda stage, done, total: None,
        decode_end=False,
        audio_tracks=0,
    )
    assert "decoded" not in joined.proof
    assert joined.audio == ()
    assert beeps_or_none(tmp_path / "joined.mp4") is None


def beeps_or_none(path: Path) -> list[float] | None:
    with av.open(str(path)) as container:
        return beeps(path) if container.streams.audio else None


def test_variable_rates_keep_every_time(tmp_path: Path) -> None:
    times = [0, 40, 90, 100, 250, 260, 300, 500, 510, 560]
    first, second = (
        make(tmp_path / f"{n}.mp4", pts=times, time_base=Fraction(1, 1000), keyframes=[0]) for n in range(2)
    )
    join([Slice(first), Slice(second, Fraction("0.6"))], tmp_path / "joined.mp4")
    assert times_of(tmp_path / "joined.mp4") == [Fraction(t + shift, 1000) for shift in (0, 600) for t in times]


@pytest.mark.parametrize(
    ("codec", "options", "extension"),
    [("mpeg4", {}, "mp4"), ("libx265", {"x265-params": "log-level=none"}, "mp4"), ("mjpeg", {}, "mkv")],
)
def test_other_codecs(codec: str, options: dict[str, str], extension: str, tmp_path: Path) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    film = make(tmp_path / f"film.{extension}", codec, count=75, options=options, pix_fmt=pixels, gop_size=25)
    joined = join([Slice(film), Slice(film, Fraction(3))], tmp_path / f"joined.{extension}")
    assert joined.frames == 150
    assert decoded_from_the_start(tmp_path / f"joined.{extension}", 0) == decoded_from_the_start(film, 0) * 2


def test_g711_needs_quicktime(tmp_path: Path) -> None:
    film = beep_film(tmp_path / "film.mov", seconds=4, sound_rate=8000, audio="pcm_mulaw")
    listed = remux.list_slice(Slice(film), Limits(), 0)
    assert extension_for(listed.parameters) == "mov"
    join([Slice(film), Slice(film, Fraction(4))], tmp_path / "joined.mov")
    in_step(tmp_path / "joined.mov", 8)


def different(tmp_path: Path, **changes: object) -> CannotCopy:
    first = beep_film(tmp_path / "first.mp4", seconds=1)
    other = beep_film(tmp_path / "other.mp4", seconds=1, **changes)  # type: ignore[arg-type]
    with pytest.raises(CannotCopy) as refused:
        join([Slice(first), Slice(other, SECOND)], tmp_path / "joined.mp4")
    return refused.value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": (128, 96)}, "the size is 128x96 instead of 96x64"),
        ({"codec": "mpeg4", "options": {}}, "the codec is mpeg4 instead of h264"),
        ({"options": {"preset": "ultrafast"}}, "the encoder was set up differently"),
        ({"sound_rate": 44_100}, "audio track 1 is aac LC 44100 Hz mono instead of aac LC 48000 Hz mono"),
        ({"layout": "stereo"}, "audio track 1 is aac LC 48000 Hz stereo instead of"),
    ],
)
def test_what_differs_is_said(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    assert f"other.mp4 cannot follow first.mp4 without encoding: {words}" in str(different(tmp_path, **changes))


def test_a_silent_recording_leaves_a_hole_in_the_sound(tmp_path: Path) -> None:
    recordings = [
        beep_film(tmp_path / "0.mp4", seconds=2, audio=None),
        beep_film(tmp_path / "1.mp4", seconds=2),
        beep_film(tmp_path / "2.mp4", seconds=2, audio=None),
        beep_film(tmp_path / "3.mp4", seconds=2),
    ]
    joined = join(in_a_row(recordings), tmp_path / "joined.mp4")
    assert any("no audio in 0.mp4, 2.mp4" in note for note in joined.notes)
    assert [round(time) for time in beeps(tmp_path / "joined.mp4")] == [2, 3, 6, 7]


def test_large_files_are_read_again_instead_of_being_kept(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = in_a_row(cut(film, tmp_path / "recordings", "ts", 4))
    join(recordings, tmp_path / "held.mp4")
    monkeypatch.setattr(remux, "HELD_BYTES", 0)
    join(recordings, tmp_path / "again.mp4")
    assert (tmp_path / "held.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
    join([Slice(film, Fraction(0), Fraction("5.5"), Fraction(8))], tmp_path / "part.mp4")
    assert len(times_of(tmp_path / "part.mp4")) >= 75


def test_the_job_can_be_stopped(film: Path, tmp_path: Path) -> None:
    stages = []

    def stop(stage: str, done: int, total: int) -> None:
        stages.append(stage)
        if stage == "copying" and done == 100:
            raise Superseded("enough")

    with pytest.raises(Superseded):
        copy_joined([Slice(film)], tmp_path / "joined.mp4", Limits(), checkpoint=stop)
    assert stages[0] == "reading packets"


@pytest.mark.footage
@pytest.mark.parametrize(("name", "track"), [("docutils_pens.mp4", 0), ("mdn_friday.mp4", 1)])
def test_real_footage_is_the_same_after_copying(name: str, track: int, tmp_path: Path) -> None:
    source, output = footage(name), tmp_path / "copied.mp4"
    joined = join([Slice(source)], output)
    assert decoded_from_the_start(output, 0) == decoded_from_the_start(source, track)
    steps = [b - a for a, b in pairwise(times_of(output))]
    assert steps == [b - a for a, b in pairwise(times_of(source))]
    assert joined.frames == len(steps) + 1
    with av.open(str(output)) as copied, av.open(str(source)) as original:
        rotations = [next(container.decode(video=0)).rotation for container in (copied, original)]
        assert rotations[0] == rotations[1]


@pytest.mark.parametrize("options", [{}, {"x264-params": "open-gop=1"}], ids=["closed", "open"])
def test_a_span_may_end_at_any_frame_of_a_group(options: dict[str, str], tmp_path: Path) -> None:
    group = 12
    film = beep_film(tmp_path / "film.mp4", seconds=6, gop=group, options={"bf": "3", "sc_threshold": "0"} | options)
    whole = decoded_from_the_start(film, 0)
    for last in range(20, 20 + 2 * group):
        output = tmp_path / f"{last}.mp4"
        joined = join([Slice(film, Fraction(0), 18 * FRAME, last * FRAME)], output)
        assert joined.slices[0].sync[0] == 12 * FRAME
        assert joined.end >= last * FRAME
        assert decoded_from_the_start(output, 0) == whole[12 : 12 + joined.frames]


def test_a_span_of_real_footage_may_end_at_any_frame_of_a_group(tmp_path: Path) -> None:
    film, group, frame = footage("intel_car-detection.mp4"), 60, Fraction(2, 25)
    whole = decoded_from_the_start(film, 0)
    for last in range(121, 121 + group):
        output = tmp_path / f"{last}.mp4"
        joined = join([Slice(film, Fraction(0), (last - 1) * frame, last * frame)], output)
        assert joined.end == last * frame
        assert decoded_from_the_start(output, 0) == whole[last - joined.frames : last]


@pytest.mark.parametrize("sounds", [(None, "aac"), ("aac", None)], ids=["one track more", "one less"])
def test_a_recording_that_is_replaced_before_it_is_copied_is_told_of(
    sounds: tuple[str | None, str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remux, "HELD_BYTES", 0)
    before, after = (beep_film(tmp_path / f"{audio}.mp4", seconds=2, audio=audio).read_bytes() for audio in sounds)
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    first.write_bytes(before)
    second.write_bytes(before)

    def replace(stage: str, done: int, total: int) -> None:
        if stage == "copying":
            second.write_bytes(after)

    slices = [Slice(first), Slice(second, Fraction(2))]
    with pytest.raises(MediaError, match=r"second.mp4 has other tracks when it is read again; was it changed\?"):
        copy_joined(slices, tmp_path / "joined.mp4", Limits(), checkpoint=replace)
