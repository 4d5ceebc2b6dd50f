"""Names of outputs: fit to be file names, and still telling one clip from another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.files.walk import NOT_THERE_YET, any_of
from clipd.jobs.naming import LONGEST_BYTES, names_of, output_stem


@pytest.mark.parametrize(
    ("video", "clip", "stem"),
    [
        ("match", "goal_1", "match_goal_1"),
        ("été 1", "'tor' \"2\"", "été 1_'tor' \"2\""),
        ("-match", "goal", "-match_goal"),
        ("match", "a/b", "match_a-b"),
        ("match", "../../etc/passwd", "match_..-..-etc-passwd"),
        (".match", "goal", "-match_goal"),
        ("match", "a\nb\x00\x7f\x85", "match_a-b---"),
        ("match", "\u202egoal\u2028", "match_-goal-"),
        ("caf\udce9", "goal", "caf-_goal"),
        ("match", " goal ", "match_ goal"),
    ],
)
def test_a_name_is_made_of_video_and_clip(video: str, clip: str, stem: str) -> None:
    assert output_stem(video, clip) == stem


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    one, other = output_stem("試" * 200, "a"), output_stem("試" * 200, "b")
    assert one != other
    assert one.startswith("試試試")
    assert len(one.encode()) <= LONGEST_BYTES


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_make_one_file_name_that_fits_and_counts(video: str, clip: str) -> None:
    stem = output_stem(video, clip)
    assert 0 < len(stem.encode()) <= LONGEST_BYTES
    assert "/" not in stem
    assert not stem.startswith(".")
    assert stem == stem.strip()
    assert output_stem(video, clip) == stem


@given(
    st.text(st.characters(categories=["Ll", "Nd"]), max_size=300), st.text(st.characters(categories=["Ll"]), max_size=9)
)
def test_plain_names_are_told_apart(video: str, clip: str) -> None:
    assert output_stem(video, clip) != output_stem(video, clip + "x")


def test_a_clip_is_known_by_all_that_people_may_call_it() -> None:
    assert names_of("7f3a", "match", "a/b", "id:12") == {
        "7f3a", "id:12", "12", "a/b", "match / a/b", "match_a/b", "match_a-b",
    }  # fmt: skip


def test_outputs_are_not_passed_over_by_scans_for_their_leading_dot() -> None:
    assert not any_of(NOT_THERE_YET).match(output_stem(".hidden", "goal") + ".mp4")
