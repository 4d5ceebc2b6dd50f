from __future__ import annotations

import pytest
from pydantic import ValidationError

from clipd.errors import ConfigError
from clipd.segmentation.profiles import PROFILES
from clipd.segmentation.settings import Settings, applied, with_overrides


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_fits_the_settings(name: str) -> None:
    result = applied(Settings(profile=name))
    for section, numbers in PROFILES[name].items():
        for key, value in numbers.items():
            assert getattr(getattr(result, section), key) == value
    assert applied(result) == result


def test_what_a_person_sets_stands_above_the_profile() -> None:
    settings = Settings.model_validate({"profile": "talk", "windows": {"min_seconds": 4}})
    result = applied(settings)
    assert result.windows.min_seconds == 4
    assert result.windows.end_default_seconds == 20
    assert applied(Settings.model_validate({"profile": "talk", "windows": {"end_default_seconds": 12}})).windows == (
        applied(Settings(profile="talk")).windows.model_copy(update={"end_default_seconds": 12})
    )


def test_another_profile_replaces_the_first() -> None:
    settings = with_overrides(Settings(profile="cctv"), {"profile": "default"})
    assert applied(settings).anchors == Settings().anchors


def test_overrides_are_read_as_their_kind() -> None:
    settings = with_overrides(
        Settings(),
        {"windows.min_seconds": "4", "mode": "v1", "likeness.same_shot": "yes", "detectors": "scene,content"},
    )
    assert settings.windows.min_seconds == 4.0
    assert (settings.mode, settings.likeness.same_shot, settings.detectors) == ("v1", True, ("scene", "content"))
    assert with_overrides(settings, {"windows.max_seconds": "40"}).windows.min_seconds == 4.0


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("windows.min_second", "4", "did you mean windows.min_seconds"),
        ("min_seconds", "4", "did you mean windows.min_seconds, shots.min_seconds"),
        ("windows", "4", "windows is a group of settings; say which one: windows.start_earliest_seconds"),
        ("colour", "4", "no setting 'colour'"),
        ("windows.min_seconds", "four", "windows.min_seconds = 'four': input should be a valid number"),
        (
            "windows.min_seconds",
            "61",
            "windows.min_seconds = '61': min_seconds (61) must not be above max_seconds (60)",
        ),
        ("profile", "circus", "'circus' is no profile; there are default, sport"),
        ("detectors", "scene,magic", "'magic' is no detector; there are "),
        ("mode", "v3", "mode = 'v3': input should be 'v1' or 'v2'"),
    ],
)
def test_a_wrong_override_is_told_with_what_would_be_right(key: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_overrides(Settings(), {key: value})
    assert words in str(caught.value)


def test_numbers_that_do_not_go_with_the_profile_are_told_when_they_are_read() -> None:
    with pytest.raises(ValidationError, match="must not be above max_seconds"):
        Settings.model_validate({"profile": "talk", "windows": {"max_seconds": 8}})
    with pytest.raises(ConfigError, match="must not be above max_seconds"):
        with_overrides(Settings(profile="talk"), {"windows.max_seconds": "8"})
