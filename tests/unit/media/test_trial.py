from __future__ import annotations

import os
import signal
import time

import av
import av.logging
import pytest

from clipd.media import trial
from clipd.media.trial import Tried


def test_every_encoder_in_use_works_here() -> None:
    tried = {one.encoder: one for one in trial.software()}
    assert set(tried) == {"libx264", "ffv1", "aac", "flac", "mjpeg"}
    assert [one for one in tried.values() if not one.works] == []


def test_a_codec_that_gives_back_something_else_is_found_out() -> None:
    """MJPEG loses: held to the exactness of FFV1 it must fail, else the trial proves nothing."""
    tried = trial._tried("mjpeg", lambda name: trial._pictures_back(name, "yuvj420p", exact=True))
    assert not tried.works
    assert "differ" in tried.trouble


def test_an_encoder_that_is_not_in_the_build_is_told_and_does_not_raise() -> None:
    tried = trial._tried("no_such_codec", lambda name: trial._pictures_back(name, "yuv420p", exact=False))
    assert not tried.works


def test_the_librarys_log_is_left_as_it_was() -> None:
    before = av.logging.get_level()
    list(trial.software())
    assert av.logging.get_level() == before


def test_each_hardware_encoder_of_the_build_is_told_with_a_reason_where_it_does_not_work(
    capfd: pytest.CaptureFixture[str],
) -> None:
    names = trial.hardware_encoders()
    assert set(names) <= set(av.codecs_available)
    assert "libx264" not in names
    tried = trial.hardware()
    assert tuple(one.encoder for one in tried) == names
    assert all(one.works or one.trouble for one in tried)
    assert not any("ended the process" in one.trouble or "hangs" in one.trouble for one in tried)
    assert capfd.readouterr() == ("", "")


def rough(name: str) -> Tried:
    """Stands for drivers: one dies, one hangs, the others are well."""
    if name == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hangs":
        time.sleep(60)
    return Tried(name)


def test_a_driver_that_crashes_or_hangs_is_told_so_and_the_others_are_tried() -> None:
    good, dead, next_one, stuck, last = trial.apart(("a", "dies", "b", "hangs", "c"), rough, 1.0)
    assert (good, next_one, last) == (Tried("a"), Tried("b"), Tried("c"))
    assert "SIGSEGV" in dead.trouble
    assert "hangs" in stuck.trouble
