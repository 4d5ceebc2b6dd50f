"""Names: templates as recorders write them, read to an exact start."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from clipd.errors import ConfigError
from clipd.model.instant import Rejected, find_zone, iso
from clipd.recordings.names import Named, Names, seconds
from clipd.recordings.settings import Camera, Settings

BERLIN = find_zone("Europe/Berlin")
SUFFIXES = (".mp4", ".mkv", ".avi", ".ts")


def read(template: str, path: str, zone: str = "Europe/Berlin", modified_ns: int = 0) -> Named | None:
    return Names((template,), SUFFIXES).read(path, {}, find_zone(zone), modified_ns)


@pytest.mark.parametrize(
    ("template", "path", "camera", "start"),
    [
        ("{camera}_{YYYYMMDD}_{HHMMSS}", "gate/gate_20250829_143015.mp4", "gate", "2025-08-29T14:30:15+02:00"),
        ("{camera}_{YYYYMMDD}_{HHMMSS}", "gate_20250129_143015.mp4", "gate", "2025-01-29T14:30:15+01:00"),
        ("{camera}_{YYYYMMDD}_{HHMMSS}", "gate/2025/08/gate_20250829_143015.ts", "gate", "2025-08-29T14:30:15+02:00"),
        ("{camera}_{YYYYMMDD}_{HHMMSS}", "Hof 1/Hof_1_20250829_143015.mp4", "Hof 1", "2025-08-29T14:30:15+02:00"),
        ("{camera}_{YYYYMMDD}_{HHMMSS}", "a_b/a_b_20250829_143015.mp4", "a_b", "2025-08-29T14:30:15+02:00"),
        ("{YYYYMMDD}-{HHMMSS}{ms}", "gate/20250829-143015250.mp4", "gate", "2025-08-29T14:30:15.250+02:00"),
        ("rec_{YYYY}{MM}{DD}T{HH}{mm}{SS}{any}", "gate/rec_20250829T143015_x.mkv", "gate", "2025-08-29T14:30:15+02:00"),
        ("{epoch}", "gate/1756477815.mp4", "gate", "2025-08-29T16:30:15+02:00"),
        ("{camera}_{YYYYMMDD}T{HHMMSS}{zone}", "g/g_20250829T143015Z.mp4", "g", "2025-08-29T16:30:15+02:00"),
        ("%path/%Y-%m-%d_%H-%M-%S-%f", "gate/2025-08-29_14-30-15-123000.mp4", "gate", "2025-08-29T14:30:15.123+02:00"),
        ("%path/%Y-%m-%d_%H-%M-%S-%f", "a/b/2025-08-29_14-30-15-000000.mp4", "a/b", "2025-08-29T14:30:15+02:00"),
        ("./recordings/%path/%Y-%m-%d_%H-%M-%S", "gate/2025-08-29_14-30-15.ts", "gate", "2025-08-29T14:30:15+02:00"),
        ("%path/%Y/%m/%d/%H-%M-%S-%f", "gate/2025/08/29/14-30-15-500000.mp4", "gate", "2025-08-29T14:30:15.500+02:00"),
        ("%path/%s-%f", "gate/1756477815-500000.mp4", "gate", "2025-08-29T16:30:15.500+02:00"),
        ("%path/%Y-%m-%d_%H-%M-%S%z", "g/2025-08-29_14-30-15-0430.mp4", "g", "2025-08-29T21:00:15+02:00"),
        ("%path/%Y-%m-%d_%H-%M-%S 100%%", "g/2025-08-29_14-30-15 100%.mp4", "g", "2025-08-29T14:30:15+02:00"),
    ],
)
def test_templates_tell_camera_and_start(template: str, path: str, camera: str, start: str) -> None:
    found = read(template, path)
    assert found is not None
    assert (found.camera, found.is_stray, iso(seconds(found.start_ns), BERLIN)) == (camera, False, start)


@pytest.mark.parametrize(
    ("template", "resolution"),
    [("{YYYYMMDD}{HHMMSS}", Fraction(1)), ("{YYYYMMDD}{HHMMSS}{ms}", Fraction(1, 1000))],
)
def test_a_name_says_how_exact_it_is(template: str, resolution: Fraction) -> None:
    found = read(template, "gate/20250829143015" + ("000" if "ms" in template else "") + ".mp4")
    assert found is not None
    assert seconds(found.resolution_ns) == resolution


@pytest.mark.parametrize(
    "path",
    [
        "gate/gate_20250829_143015_copy.mp4",
        "gate/gate_20250829_14301.mp4",
        "gate/gate_20251329_143015.mp4",
        "gate/gate_20250230_143015.mp4",
        "gate/gate_20250829_246015.mp4",
        "gate/gate_20250829_143060.mp4",
        "gate/gate_00000829_143015.mp4",
        "gate/gate_٢٠250829_143015.mp4",
        "20250829_143015.mp4",
    ],
)
def test_what_is_no_name_of_a_recording_is_none(path: str) -> None:
    assert read("{camera}_{YYYYMMDD}_{HHMMSS}", path) is None


def test_of_several_templates_one_that_fits_counts() -> None:
    names = Names(Settings().templates, SUFFIXES)
    plain = names.read("gate/gate_20250829_143015.mp4", {}, BERLIN)
    exact = names.read("gate/2025-08-29_14-30-15-000000.mp4", {}, BERLIN)
    assert plain is not None
    assert exact is not None
    assert plain.start_ns == exact.start_ns


def test_a_name_of_another_camera_than_the_folder_s_is_stray() -> None:
    found = read("{camera}_{YYYYMMDD}_{HHMMSS}", "gate/yard_20250829_143015.mp4")
    assert found is not None
    assert (found.camera, found.is_stray) == ("gate", True)


def test_a_camera_may_have_a_zone_of_its_own() -> None:
    names = Names(Settings().templates, SUFFIXES)
    zones = {"far": find_zone("Asia/Tokyo")}
    near, far = (names.read(f"{c}/{c}_20250829_143015.mp4", zones, BERLIN) for c in ("near", "far"))
    assert near is not None
    assert far is not None
    assert near.start_ns - far.start_ns == 7 * 3600 * 10**9


@pytest.mark.parametrize(
    ("written", "start"),
    [
        ("2025-10-26T00:30:05", "2025-10-26T00:30:00Z"),
        ("2025-10-26T01:30:05", "2025-10-26T01:30:00Z"),
        ("2025-10-27T12:00:00", "2025-10-26T00:30:00Z"),
    ],
)
def test_a_time_that_happens_twice_is_told_by_when_the_file_was_written(written: str, start: str) -> None:
    moment = datetime.fromisoformat(f"{written}+00:00")
    found = read("{camera}_{YYYYMMDD}_{HHMMSS}", "g/g_20251026_023000.mp4", modified_ns=int(moment.timestamp()) * 10**9)
    assert found is not None
    assert iso(seconds(found.start_ns)).replace("+00:00", "Z") == start


def test_every_second_around_a_change_of_the_clocks_is_read_right() -> None:
    names = Names(("{camera}_{YYYYMMDD}_{HHMMSS}",), SUFFIXES)
    for zone in ("Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"):
        place = find_zone(zone)
        moment = datetime.fromisoformat("2025-04-05T00:00:00+00:00")
        for _ in range(40 * 12):
            moment += timedelta(minutes=5, seconds=1)
            local = moment.astimezone(place)
            stamp = int(moment.timestamp()) * 10**9
            found = names.read(f"g/g_{local:%Y%m%d_%H%M%S}.mp4", {}, place, stamp)
            assert found is not None
            assert found.start_ns == stamp


@pytest.mark.parametrize("template", ["{camera}", "{camera}_{YYYYMMDD}", "%Y-%m-%d", "{HHMMSS}", ""])
def test_a_template_without_day_and_time_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="does not tell day and time"):
        Names((template,), SUFFIXES)


@pytest.mark.parametrize("template", ["{cam}_{YYYYMMDD}_{HHMMSS}", "%path/%Y-%j"])
def test_an_unknown_word_is_refused_with_the_known_ones(template: str) -> None:
    with pytest.raises(ConfigError, match="there are .*(camera|%path)"):
        Names((template,), SUFFIXES)


@pytest.mark.parametrize("extension", ["mp4", "MKV", "avi", "TS"])
def test_extensions_count_in_any_case(extension: str) -> None:
    assert Names((), SUFFIXES).is_recording(f"x.{extension}")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"templates": ["{camera}"]}, "does not tell day and time"),
        ({"suffixes": ["mp4"]}, "write .mp4"),
        ({"time_zone": "Europe/Berln"}, "did you mean Europe/Berlin"),
        ({"cameras": {"gate": {"time_zone": "x"}}}, "no time zone"),
        ({"cameras": {"gate": {"clock_ahead": 2}}}, "clock_ahead"),
    ],
)
def test_wrong_settings_are_refused_with_what_would_be_right(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(**settings)


def test_cameras_are_settings_by_name() -> None:
    settings = Settings(cameras={"gate": {"time_zone": "UTC", "clock_ahead_seconds": -2.5}})
    assert settings.cameras["gate"] == Camera(time_zone="UTC", clock_ahead_seconds=-2.5)


def test_a_refused_zone_is_no_surprise() -> None:
    with pytest.raises(Rejected, match="no time zone"):
        find_zone("../etc/passwd")
