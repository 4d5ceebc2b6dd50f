"""Settings that match nothing are told; those that match something, or may yet, are not."""

from __future__ import annotations

from pathlib import Path

from clipd.delivery.retention import Rule
from clipd.report.unmatched import unknown_cameras, unknown_formats
from tests.place import laid_out


def test_a_camera_without_any_folder_is_named_with_those_that_have_one(tmp_path: Path) -> None:
    layout = laid_out(tmp_path)
    for home, camera in ((layout.source, "a"), (layout.sidecars, "b"), (layout.recordings, "c")):
        (home / camera).mkdir(parents=True)
    (told,) = unknown_cameras(layout, ("a", "b", "nosuch", "c"))
    assert told == "there is no folder of camera 'nosuch' yet; there are a, b, c"


def test_a_format_that_no_output_has_is_named_with_its_rule(tmp_path: Path) -> None:
    layout = laid_out(tmp_path)
    (layout.outputs / "segments").mkdir(parents=True)
    rules = (
        Rule(formats=("h264", "ffv1", "segments"), older_than_days=1),
        Rule(formats=("ffv2",), older_than_days=1),
        Rule(older_than_days=1),
    )
    (told,) = unknown_formats(layout, rules)
    assert told == "retention.rules, rule 2: 'ffv2' is no format of any output; there are ffv1, h264, segments"
