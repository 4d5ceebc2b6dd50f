from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.segmentation.features import Features
from clipd.segmentation.highlights.pipeline import Highlights, highlights
from clipd.segmentation.settings import Settings, with_overrides
from clipd.segmentation.survey import Settings as SurveySettings
from clipd.segmentation.survey import survey
from tests.footage import footage
from tests.unit.segmentation.drawn import features, hard, random_features
from tests.unit.segmentation.highlights import plain

SEEDS = range(40)


def found(what: Features, **overrides: str) -> Highlights:
    settings = with_overrides(Settings(), {key.replace("__", "."): value for key, value in overrides.items()})
    return highlights(what, what.cuts, settings)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_step_gives_what_the_description_gives_when_read_by_loops(seed: int) -> None:
    agrees(random_features(seed), product=seed % 4 == 3)


@pytest.mark.footage
@pytest.mark.parametrize("name", ["pyscenedetect_testvideo.mp4", "mdn_friday.mp4", "torchcodec_nasa_13013.mp4"])
def test_so_it_is_with_what_real_videos_measure(name: str) -> None:
    agrees(survey(footage(name), SurveySettings(), Limits(), lambda *_: None), product=False)


def agrees(drawn: Features, product: bool) -> None:
    result = found(drawn, excitement="product" if product else "weighted")
    curve = plain.excitement(drawn, product)
    assert result.curve.values == pytest.approx(curve, abs=1e-12)
    moments = plain.anchors(drawn, curve)
    assert [(a.seconds, a.kind) for a in result.anchors] == [(row["at"], row["kind"]) for row in moments]
    assert [a.score for a in result.anchors] == pytest.approx([row["score"] for row in moments])
    places = plain.boundaries(drawn)
    assert [b.seconds for b in result.boundaries] == [row["at"] for row in places]
    for name, key in (("score",) * 2, ("scene",) * 2, ("audio_dip", "dip"), ("fade",) * 2, ("motion_valley", "valley")):
        assert [getattr(b, name) for b in result.boundaries] == pytest.approx([row[key] for row in places])
    rows = plain.windows(drawn, curve, moments, places)
    spans = [(c.window.start_seconds, c.window.end_seconds) for c in result.candidates]
    assert spans == [pytest.approx((row["start"], row["end"])) for row in rows]
    assert [c.quality.total for c in result.candidates] == pytest.approx([row["quality"] for row in rows])
    kept = sorted(candidate.index for candidate, _ in result.clips)
    assert kept == plain.left(rows)


def test_the_random_videos_make_every_step_work() -> None:
    results = [found(random_features(seed)) for seed in SEEDS]
    assert {anchor.kind for result in results for anchor in result.anchors} == {"excitement", "loudness", "action"}
    for name in ("scene", "audio_dip", "fade", "motion_valley", "penalty"):
        assert any(getattr(place, name) > 0 for result in results for place in result.boundaries), name
    assert any(d.action == "drop_overlap" for result in results for d in result.report.overlap)
    windows = [candidate.window for result in results for candidate in result.candidates]
    assert any(window.start_boundary is None for window in windows)
    assert any(window.end_boundary is None for window in windows)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_clip_shows_a_frame_of_the_neighbouring_shot_at_either_end(seed: int) -> None:
    drawn = random_features(seed)
    times = np.append(drawn.frame_times, drawn.duration_seconds)
    for _, clip in found(drawn).clips:
        assert 0 <= clip.start_frame <= clip.end_frame < drawn.frame_count
        assert clip.start_seconds == times[clip.start_frame]
        assert clip.end_seconds == times[clip.end_frame + 1]
        for cut in drawn.cuts:
            first = cut.frame if cut.start_frame is None else cut.start_frame
            if first <= clip.start_frame < cut.frame or first <= clip.end_frame < cut.frame:
                pytest.fail(f"{clip.name} begins or ends inside the change {first}..{cut.frame}")
            if clip.start_frame < first <= clip.end_frame:
                shown = times[first] - times[clip.start_frame]
                assert shown >= 0.5 - 1e-5 or _is_whole_short_shot(drawn, clip.start_frame, at_start=True)
            if clip.start_frame < cut.frame <= clip.end_frame:
                shown = times[clip.end_frame + 1] - times[cut.frame]
                assert shown >= 0.5 - 1e-5 or _is_whole_short_shot(drawn, clip.end_frame, at_start=False)


def _is_whole_short_shot(drawn: Features, frame: int, at_start: bool) -> bool:
    """Cuts faster than half a second leave no other way than to begin or end with a shot that is shown whole."""
    if at_start:
        return frame == 0 or any(cut.frame == frame for cut in drawn.cuts)
    return frame == drawn.frame_count - 1 or any(
        (cut.frame if cut.start_frame is None else cut.start_frame) == frame + 1 for cut in drawn.cuts
    )


def test_a_clip_ends_clear_of_a_cut_even_when_only_its_default_end_falls_there() -> None:
    # The peak at 20 s has no boundary in reach of its end but this cut's neighbourhood: the default end is 32.0.
    motion = [0.0] * 40 + [3.0] + [0.0] * 39
    drawn = features(40, motion=motion, cuts=[hard(795)])  # 31.8 s
    clips = [clip for _, clip in found(drawn, boundaries__at_least="2").clips]
    assert [(clip.start_frame, clip.end_frame) for clip in clips] == [(300, 794)]


def test_no_clip_loses_its_moment_to_the_cuts_before_it() -> None:
    motion = [0.0] * 40 + [3.0] + [0.0] * 39
    fast = [hard(frame) for frame in range(302, 520, 10)]  # 12.1 s to 20.5 s: the start falls among them
    clips = [clip for _, clip in found(features(40, motion=motion, cuts=fast), boundaries__at_least="9").clips]
    assert [(clip.start_frame, clip.end_frame) for clip in clips] == [(289, 799)]


def test_what_looks_like_a_better_clip_in_another_shot_is_dropped() -> None:
    motion = [0.0] * 200
    motion[40], motion[160] = 3.0, 2.5
    dice = np.random.default_rng(1)
    scene = dice.integers(0, 255, (18, 32), dtype=np.uint8)
    other = dice.integers(0, 255, (18, 32), dtype=np.uint8)
    # 0..100 s; both clips show the same pictures, in shots of their own
    drawn = features(100, motion=motion, cuts=[hard(1250), hard(1500)])
    pictures = np.repeat(other[None], 200, axis=0)
    pictures[:100], pictures[120:] = scene, scene
    result = found(replace(drawn, pictures=pictures))
    assert [d.action for d in result.report.duplicate] == ["keep", "drop_duplicate"]
    assert result.report.duplicate[1].related_clip_index == 0
    assert "distance 0.0 bits" in result.report.duplicate[1].reason
    assert len(result.clips) == 1
    uncut = replace(drawn, pictures=pictures, cuts=())
    assert len(found(uncut).clips) == 2
    assert len(found(uncut, likeness__same_shot="yes").clips) == 1
    flat = replace(drawn, pictures=np.full((200, 18, 32), 90, np.uint8))
    assert len(found(flat).clips) == 2
    assert len(found(drawn).clips) == 2


def test_names_tell_the_moment_and_are_unique() -> None:
    motion = [0.0] * 100
    motion[40], motion[41], motion[42] = 3.0, 1.0, 2.9
    result = found(features(50, motion=motion), anchors__spacing_seconds="0", filters__overlap_iou="1")
    assert [clip.name for _, clip in result.clips] == ["highlight_00-00-20", "highlight_00-00-21"]
    result = found(features(50, motion=[*motion[:41], 2.0, *motion[42:]]), filters__overlap_iou="1")
    assert [clip.name for _, clip in result.clips] == ["highlight_00-00-20"]
