"""Films of pictures, read back by plain means."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clipd.errors import Rejected, Superseded
from clipd.jobs.context import Context
from clipd.jobs.pictures import Film, Settings, in_order, make_film
from clipd.jobs.rendition import Rendition
from clipd.media.door import Limits
from tests.footage import footage
from tests.unit.media.test_exif import with_exif

Make = Callable[..., Film]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a film; it lies in `tmp_path / "staging"`."""
    (tmp_path / "staging").mkdir()

    def make(
        pictures: list[Path],
        format: str = "mp4",
        *,
        checkpoint: Callable[[str, int, int], None] = lambda stage, done, total: None,
        fps: Fraction | None = None,
        own_times: bool | None = None,
        **settings: object,
    ) -> Film:
        context = Context(tmp_path / "staging", tmp_path, "pictures", None, 2, Limits(), checkpoint)
        rendition = Rendition(format, "original", "event", "event/cam1")
        return make_film(pictures, rendition, Settings(**settings), context, fps=fps, own_times=own_times)  # type: ignore[arg-type]

    return make


def picture(path: Path, number: int, size: tuple[int, int] = (96, 64)) -> Path:
    """A grey picture whose brightness tells its number."""
    image = np.full((size[1], size[0], 3), 40 + number * 12, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def several(folder: Path, count: int, name: str = "p{}.png", size: tuple[int, int] = (96, 64)) -> list[Path]:
    return [picture(folder / name.format(number), number, size) for number in range(count)]


def numbers(path: Path) -> list[int]:
    """Which pictures are shown, by the brightness of their middles."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [round((float(frame[frame.shape[0] // 2, frame.shape[1] // 2].mean()) - 40) / 12) for frame in frames]


def shown(path: Path) -> tuple[list[Fraction], Fraction]:
    """When each picture begins, and how long the file says it lasts."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        last = packets[-1]
        assert stream.duration is None or stream.duration == last.pts + last.duration
        return [packet.pts * packet.time_base for packet in packets], (last.pts + last.duration) * last.time_base


@pytest.mark.parametrize("fps", [Fraction(1), Fraction(2), Fraction(5, 2), Fraction(25), Fraction(60)])
def test_each_picture_is_shown_exactly_its_time_and_the_last_one_too(make: Make, tmp_path: Path, fps: Fraction) -> None:
    film = make(several(tmp_path / "in", 11), fps=fps)
    begins, end = shown(tmp_path / "staging/event.mp4")
    assert begins == [number / fps for number in range(11)]
    assert end == film.seconds == 11 / fps
    assert numbers(tmp_path / "staging/event.mp4") == list(range(11))


def test_two_a_second_is_the_default_and_one_picture_is_a_film(make: Make, tmp_path: Path) -> None:
    assert make(several(tmp_path / "in", 1)).seconds == Fraction(1, 2)
    assert shown(tmp_path / "staging/event.mp4") == ([0], Fraction(1, 2))


def test_names_are_in_natural_order(make: Make, tmp_path: Path) -> None:
    paths = several(tmp_path / "in", 12)
    assert in_order(sorted(paths)) == paths
    make(sorted(paths))
    assert numbers(tmp_path / "staging/event.mp4") == list(range(12))


STAMPS = ("20250829_143015", "20250829_143016", "20250829_143018", "20250829_143019")


def test_own_times_come_from_names(make: Make, tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"cam_{stamp}.png", number) for number, stamp in enumerate(STAMPS)]
    film = make(paths)
    assert film.times_from == "names"
    assert shown(tmp_path / "staging/event.mp4") == ([0, 1, 3, 4], 5)
    assert [one.ends_seconds for one in film.shown] == [1, 3, 4, 5]
    assert film.shown[2].taken == 1_756_477_818


def test_own_times_come_from_exif_and_may_order_anew(make: Make, tmp_path: Path) -> None:
    times = (("2025:08:29 14:30:16", "250"), ("2025:08:29 14:30:15", "5"), ("2025:08:29 14:30:17", None))
    paths = []
    for number, (date, fraction) in enumerate(times):
        path = picture(tmp_path / f"{number}.jpg", number)
        path.write_bytes(with_exif(path.read_bytes(), date=date, subsec=fraction))
        paths.append(path)
    film = make(paths)
    assert film.times_from == "exif"
    begins, end = shown(tmp_path / "staging/event.mp4")
    assert begins == [0, Fraction("0.75"), Fraction("1.5")]
    assert end == Fraction("2.25")
    assert numbers(tmp_path / "staging/event.mp4") == [1, 0, 2]
    assert any("order of their times" in warning for warning in film.warnings)


def test_a_broken_picture_among_those_with_exif_times_is_named(make: Make, tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        path = picture(tmp_path / f"{number}.jpg", number)
        path.write_bytes(with_exif(path.read_bytes(), date=f"2025:08:29 14:30:1{number}", subsec=None))
        paths.append(path)
    broken = tmp_path / "1b.jpg"
    broken.write_bytes(b"no picture")
    film = make([*paths, broken])
    assert (film.times_from, film.frames) == ("exif", 3)
    assert [one.name for one in film.broken] == ["1b.jpg"]
    assert any("1b.jpg" in warning for warning in film.warnings)


def test_times_that_a_plain_clock_holds_are_not_called_rounded(make: Make, tmp_path: Path) -> None:
    for fraction, rounded in (("00001", False), ("000001", False), ("0000001", True)):
        paths = []
        for number, part in enumerate(("0", fraction)):
            path = picture(tmp_path / f"{number}.jpg", number)
            path.write_bytes(with_exif(path.read_bytes(), date=f"2025:08:29 14:30:1{number}", subsec=part))
            paths.append(path)
        film = make(paths)
        assert any("rounded" in warning for warning in film.warnings) is rounded, fraction


def test_pictures_of_one_second_are_spread_over_it(make: Make, tmp_path: Path) -> None:
    stamps = ("143015", "143015_b", "143015_c", "143016")
    paths = [picture(tmp_path / f"20250829_{stamp}.png", number) for number, stamp in enumerate(stamps)]
    film = make(paths, own_times=True)
    assert [one.begins_seconds for one in film.shown] == [0, Fraction(1, 3), Fraction(2, 3), 1]
    assert any("within a second" in warning for warning in film.warnings)


def test_times_are_not_made_up(make: Make, tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{name}.png", number) for number, name in enumerate((*STAMPS, "late"))]
    with pytest.raises(Rejected, match=r"no time in the name or the EXIF data of late\.png; give fps"):
        make(paths, own_times=True)
    film = make(paths)
    assert film.times_from == "fps"
    assert any("1 pictures tell no time" in warning for warning in film.warnings)
    assert make(paths, fps=Fraction(4)).seconds == Fraction(5, 4)


def test_times_days_apart_are_refused(make: Make, tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{name}.png", 0) for name in ("20250829_143015", "20250830_143015")]
    with pytest.raises(Rejected, match="last 86400 s; at most 3600"):
        make(paths)


@pytest.mark.parametrize("format", ["mp4", "gif"])
def test_a_broken_picture_is_named_and_the_rest_goes_on(make: Make, tmp_path: Path, format: str) -> None:
    paths = several(tmp_path / "in", 5, "p{}.jpg")
    paths[1].write_bytes(paths[1].read_bytes()[:300])
    paths[4].write_bytes(b"not a picture at all")
    empty = tmp_path / "in/p5.jpg"
    empty.touch()
    film = make([*paths, empty], format)
    assert numbers(tmp_path / f"staging/event.{format}") == [0, 2, 3]
    assert [one.name for one in film.broken] == ["p1.jpg", "p4.jpg", "p5.jpg"]
    assert "does not decode" in film.broken[0].reason
    assert "is no picture that can be read" in film.broken[1].reason
    assert "left out: p5.jpg is empty" in film.warnings
    assert film.seconds == Fraction(3, 2)
    assert shown(tmp_path / f"staging/event.{format}") == ([0, Fraction(1, 2), 1], Fraction(3, 2))


def test_a_broken_picture_leaves_its_time_to_the_one_before(make: Make, tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{stamp}.png", number) for number, stamp in enumerate(STAMPS)]
    paths[1].write_bytes(b"\x89PNG\r\n\x1a\n")
    make(paths)
    assert shown(tmp_path / "staging/event.mp4") == ([0, 3, 4], 7)


def test_only_broken_pictures_are_no_film(make: Make, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no")
    with pytest.raises(Rejected, match="none of the 1 pictures can be read: a.jpg is no picture"):
        make([tmp_path / "a.jpg"])
    with pytest.raises(Rejected, match="there are no pictures"):
        make([])


def test_mixed_and_odd_sizes_are_fitted(make: Make, tmp_path: Path) -> None:
    paths = [
        picture(tmp_path / "0.png", 10, (97, 65)),
        picture(tmp_path / "1.png", 10, (300, 64)),
        picture(tmp_path / "2.png", 10, (20, 90)),
    ]
    film = make(paths)
    assert (film.width, film.height) == (96, 64)
    assert "the film is 96x64, the first picture 97x65" in film.warnings
    with av.open(str(tmp_path / "staging/event.mp4")) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert frames[0].min() > 100
    assert frames[1][:18].max() < 40
    assert frames[1][26:40].min() > 100
    assert frames[2][:, :36].max() < 40
    assert frames[2][:, 44:52].min() > 100


def test_pictures_are_shrunk_to_the_largest_film(make: Make, tmp_path: Path) -> None:
    film = make([picture(tmp_path / "0.png", 1, (800, 400))], max_width=200)
    assert (film.width, film.height) == (200, 100)


def test_pictures_are_turned_upright(make: Make, tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :48] = 200
    path = tmp_path / "0.jpg"
    path.write_bytes(with_exif(cv2.imencode(".jpg", image)[1].tobytes(), orientation=6))
    film = make([path])
    assert (film.width, film.height) == (64, 96)
    with av.open(str(tmp_path / "staging/event.mp4")) as container:
        (frame,) = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert frame[:40].min() > 150
    assert frame[56:].max() < 60


def test_a_gif_is_small_looped_and_exact(make: Make, tmp_path: Path) -> None:
    film = make(several(tmp_path / "in", 7, size=(640, 360)), "gif", fps=Fraction(3))
    path = tmp_path / "staging/event.gif"
    assert (film.width, film.height) == (320, 180)
    begins, end = shown(path)
    assert begins == [Fraction(at, 100) for at in (0, 33, 67, 100, 133, 167, 200)]
    assert end == Fraction(233, 100)
    assert numbers(path) == list(range(7))
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in path.read_bytes()
    assert any("up to 0.003 s off" in warning for warning in film.warnings)


def test_a_gif_is_never_faster_than_viewers_show_it(make: Make, tmp_path: Path) -> None:
    film = make(several(tmp_path / "in", 6), "gif", fps=Fraction(60))
    assert shown(tmp_path / "staging/event.gif")[0] == [Fraction(2 * number, 100) for number in range(6)]
    assert any("hundredths" in warning for warning in film.warnings)


def test_the_job_can_be_stopped(make: Make, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "encoding" and done >= 2:
            raise Superseded("enough")

    for format in ("mp4", "gif"):
        with pytest.raises(Superseded):
            make(several(tmp_path / "in", 5), format, checkpoint=stop)


@pytest.mark.footage
def test_pictures_of_a_real_camera(make: Make, tmp_path: Path) -> None:
    paths = []
    with av.open(str(footage("intel_one-by-one-person-detection.mp4"))) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 20 == 0:
                paths.append(tmp_path / f"cam1_20250829_1430{number // 10:02d}.jpg")
                cv2.imwrite(str(paths[-1]), frame.to_ndarray(format="bgr24"))
            if len(paths) == 10:
                break
    film = make(paths)
    assert film.seconds == 20
    gif = make(paths, "gif")
    assert (gif.width, gif.height, gif.seconds) == (320, 180, 20)
    with av.open(str(tmp_path / "staging/event.mp4")) as container:
        for path, frame in zip(paths, container.decode(video=0), strict=True):
            wanted = cv2.imread(str(path))[:, :, ::-1].astype(int)
            assert np.abs(frame.to_ndarray(format="rgb24") - wanted).mean() < 4
