"""The sheet as text: what a person sees."""

from __future__ import annotations

from clipd.annotations.txt import render


def test_a_line_for_each_fact_indented_by_depth() -> None:
    sheet = {
        "clip": "match / goal",
        "source": {"path": "match.mp4", "frames": 100},
        "audio_offset_seconds": [0, 0.01],
        "crop": {
            "applied": [{"frame": 0, "rect": [1, 2, 3, 4]}, {"frame": 9, "rect": [5, 6, 7, 8]}],
            "interpolation": None,
        },
        "gaps": [],
        "tags": {},
        "files": [{}, ["a", "b"], "c", {"name": "d"}],
    }
    assert render(sheet).decode() == (
        "clip: match / goal\n"
        "source:\n"
        "  path: match.mp4\n"
        "  frames: 100\n"
        "audio offset seconds: 0, 0.01\n"
        "crop:\n"
        "  applied:\n"
        "    - frame: 0\n"
        "      rect: 1, 2, 3, 4\n"
        "    - frame: 9\n"
        "      rect: 5, 6, 7, 8\n"
        "  interpolation: -\n"
        "gaps: -\n"
        "tags: -\n"
        "files:\n"
        "  - -\n"
        "  - a, b\n"
        "  - c\n"
        "  - name: d\n"
    )


def test_a_line_break_in_a_fact_is_shown_as_one_and_begins_no_line() -> None:
    assert render({"clip": "goal\nfile: other.mp4"}).decode() == "clip: goal\\nfile: other.mp4\n"
