"""Destinations as settings: one way each, and no secret in what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clipd.config import load
from clipd.delivery.destinations import Destination
from clipd.errors import ConfigError


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "has none"),
        ({"directory": "a", "url": "s3://b"}, "directory and url"),
        ({"url": "bucket/prefix"}, "s3://bucket/prefix"),
        ({"url": "simplecache::s3://bucket"}, "one address"),
        ({"url": "s3://b", "marker": "x"}, "marker belongs"),
        ({"directory": "a", "options": {"key": "x"}}, "options belong"),
        ({"directory": ""}, "at least 1 character"),
        ({"directory": "a", "patience_hours": 0}, "greater than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Destination(**content)


def test_what_it_is_called_holds_neither_password_nor_query() -> None:
    secret = Destination(url="sftp://me:pass-word@host:22/a/b?token=t0ken", options={"key": "k3y"})
    assert secret.label == "sftp://host:22/a/b"
    for word in ("pass-word", "t0ken", "k3y"):
        assert word not in repr(secret)
    assert Destination(url="sftp://me:pw@host/a", name="vault").label == "vault"
    assert Destination(directory="/mnt/archive").label == "/mnt/archive"


def test_formats_and_cameras_choose() -> None:
    some = Destination(directory="a", formats=("ffv1",), cameras=("cam1", "_"))
    assert some.takes("ffv1/cam1/s1/match.mkv", "cam1")
    assert not some.takes("h264/cam1/s1/match.mp4", "cam1")
    assert not some.takes("ffv1/cam2/s1/match.mkv", "cam2")
    assert Destination(directory="a").takes("segments/x/report.html", "")


def test_a_wrong_one_is_told_with_its_line_and_without_its_secrets(tmp_path: Path) -> None:
    file = tmp_path / "clipd.yaml"
    file.write_text(
        "destinations:\n  - {directory: a}\n  - {url: 's3://k3y:s3cret@b', options: {key: k3y}, marker: m}\n"
    )
    with pytest.raises(ConfigError, match="line 3: destinations.1: marker belongs") as error:
        load(tmp_path, file)
    assert "s3cret" not in str(error.value)
    assert "k3y" not in str(error.value)


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "clipd.yaml"
    file.write_text("destinations:\n  - {directory: a}\n  - {directory: a, formats: [ffv1]}\n")
    with pytest.raises(ConfigError, match="two destinations are called 'a'"):
        load(tmp_path, file)
