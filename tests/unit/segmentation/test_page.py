"""The report page: all that was found is on it, whatever the video lacks, harmless whatever it is called, and small."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from clipd.segmentation.cut import Cut, Stretch
from clipd.segmentation.debug import Document, HighlightsDocument
from clipd.segmentation.features import Features
from clipd.segmentation.highlights import filters
from clipd.segmentation.page import clock, render, sentence, span
from clipd.segmentation.segment import segment
from clipd.segmentation.settings import Settings
from tests.page import Page
from tests.unit.segmentation.drawn import features, gradual, hard, random_features
from tests.unit.segmentation.test_stills import jpeg

V1, V2 = Settings(mode="v1"), Settings()
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</title></style></script><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; 100%",
)
PICTURE = jpeg(width=32, height=18)


def match(**changes: Any) -> Features:
    """Two minutes with three loud moments, two of them side by side, cuts of every kind, black and still pictures."""
    loudness, motion = [0.0] * 240, [0.0] * 240
    for second, value in ((20, 5.0), (60, 3.0), (65, 4.0), (100, 2.0)):
        loudness[2 * second] = motion[2 * second] = value
    drawn = features(120, loudness=loudness, motion=motion, cuts=[hard(300), hard(2000), gradual(1200, 1225),
                     gradual(2600, 2620, "fade-in"), gradual(2900, 2925, "fade-out")])  # fmt: skip
    return replace(drawn, black=(Stretch(0, 25, 0.0, 1.0),), freezes=(Stretch(50, 100, 2.0, 4.0),), **changes)


def page(
    measured: Features | None = None,
    settings: Settings = V2,
    *,
    name: str = "match.mp4",
    thumbnails: Mapping[int, bytes] | None = None,
    strip: Sequence[tuple[float, bytes]] = ((30.0, PICTURE), (90.0, PICTURE)),
    document: Document | None = None,
) -> Page:
    measured = measured or match()
    document = document or segment(measured, settings).document
    thumbnails = {clip.clip_index: PICTURE for clip in document.final_clips} if thumbnails is None else thumbnails
    return Page(render(name, measured, document, thumbnails, strip))


def values(shown: Page, tag: str, name: str) -> list[str]:
    return [value for found, attribute, value in shown.attributes if (found, attribute) == (tag, name)]


def classes(shown: Page) -> set[str]:
    return {one for _, attribute, value in shown.attributes if attribute == "class" for one in value.split()}


def test_everything_that_was_found_is_on_the_page() -> None:
    measured = match()
    document = segment(measured, V2).document
    assert isinstance(document, HighlightsDocument)
    shown = page(measured, document=document)
    for piece in (
        "match.mp4", "2:00", "highlights", "Loudness", "Movement", "Excitement", "stands out", "fades and dissolves",
        "Black picture", "Still picture", "Good places to begin or end", "Kept", "Dropped", "the best first",
        "cuts, 3 gradual",
    ):  # fmt: skip
        assert piece in shown.words
    for clip in document.final_clips:
        assert clip.name in shown.words
        assert sentence(clip.reason) in shown.words
        assert f"frames {clip.start_frame}-{clip.end_frame}" in shown.words
    assert {"loud", "move", "heat", "dots", "cut", "gradual", "blackout", "still", "places"} <= classes(shown)
    pictures = [source for source in values(shown, "img", "src") if source.startswith("data:image/jpeg;base64,")]
    assert len(pictures) == len(document.final_clips) + 2


def test_the_best_clip_comes_first_and_is_called_1_on_the_timeline() -> None:
    document = segment(match(), V2).document
    assert len(document.final_clips) > 1
    best = max(document.final_clips, key=lambda clip: clip.quality)
    shown = page(document=document)
    cards = [value for value in values(shown, "li", "id") if value.startswith("clip-")]
    assert cards[0] == f"clip-{best.clip_index}"
    titles = [title for title in values(shown, "a", "title") if title.startswith("Clip 1,")]
    assert [best.reason in title for title in titles] == [True]


def test_the_best_of_a_dull_video_is_not_coloured_as_good() -> None:
    document = segment(match(), V2).document
    shades = []
    for best in (0.9, 0.03):
        clips = tuple(replace(clip, quality=best) for clip in document.final_clips)
        source = page(document=replace(document, final_clips=clips)).source
        shades.append({float(shade) for shade in re.findall(r"--shade:([\d.]+)", source)})
    assert shades == [{1.0}, {0.1}]


def test_every_window_is_a_link_to_its_card_or_to_why_it_was_dropped() -> None:
    document = segment(match(), V2).document
    assert isinstance(document, HighlightsDocument)
    shown = page(document=document)
    targets = {value for _, name, value in shown.attributes if name == "id"}
    links = [link[1:] for link in shown.links if link.startswith("#")]
    assert set(links) <= targets
    kept = {f"clip-{clip.clip_index}" for clip in document.final_clips}
    gone = {f"dropped-{window.clip_index}" for window in document.candidate_windows} - {
        card.replace("clip", "dropped") for card in kept
    }
    assert gone
    assert {*kept, *gone} <= set(links)


def test_a_dropped_moment_names_the_clip_that_it_lost_to() -> None:
    shown = page()
    assert re.search(r"overlaps clip \d+, which is better", shown.words)
    assert any(re.search(r"overlaps clip \d+, which is better", title) for title in values(shown, "a", "title"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(filters=filters.Settings(target_clips=1)), "enough better ones were found"),
        (Settings(filters=filters.Settings(boring_mean=9, boring_below=9, boring_share=0.5, boring_anchor=9)),
         "too little happens"),
    ],
)  # fmt: skip
def test_each_cause_of_dropping_has_its_words(settings: Settings, words: str) -> None:
    assert words in page(settings=settings).words


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("settings", [V1, V2], ids=["v1", "v2"])
def test_what_came_from_outside_is_text_and_nothing_else(text: str, settings: Settings) -> None:
    measured = match(warnings=("a warning",))
    document = segment(measured, settings).document
    plain = page(measured, document=document)
    clips = tuple(replace(clip, name=text, reason=text) for clip in document.final_clips)
    summary = replace(document.features_summary, warnings=(text,))
    hostile = page(measured, document=replace(document, final_clips=clips, features_summary=summary), name=text)
    assert hostile.tags == plain.tags
    assert [(tag, name) for tag, name, _ in hostile.attributes] == [(tag, name) for tag, name, _ in plain.attributes]
    assert " ".join(text.split()) in hostile.words


def test_what_turns_or_hides_text_is_shown_as_what_it_is() -> None:
    source = page(name="gpj\u202e4pm\x1b[31m\x00\ud800 \u2066").source
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", source)
    assert r"gpj\u202e4pm\x1b[31m\x00\ud800 \u2066" in source
    source.encode()


def test_the_page_needs_nothing_and_runs_nothing_but_its_own_script() -> None:
    shown = page()
    assert all(link.startswith(("#", "data:image/")) for link in shown.links)
    assert not {name for _, name, _ in shown.attributes if name.startswith("on")}
    assert shown.tags.count("script") == 1
    script = shown.source.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in shown.source
    assert not re.search(r"@import|url\(", shown.source)


def test_scene_mode_shows_what_it_has() -> None:
    shown = page(settings=V1)
    assert "scenes: the whole video" in shown.words
    assert "cut to cut" in shown.words
    assert {"loud", "move", "cut", "kept"} <= classes(shown)
    assert not {"heat", "dots", "places", "dropped"} & classes(shown)


def test_a_video_without_audio_says_so_and_has_no_loudness() -> None:
    motion = [0.0] * 120
    motion[60] = 5.0
    shown = page(replace(features(60, motion=motion), warnings=("there is no audio: motion alone was measured",)))
    assert "There is no audio: motion alone was measured." in shown.words
    assert "movement above the usual" in shown.words
    assert "loud" not in classes(shown)


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (features(0.04), "single picture"),
        (features(60), "Nothing stands out"),
        (features(60, fps=0), "no picture in this file"),
        (features(0, fps=0), "no picture in this file"),
    ],
)
def test_a_page_without_clips_says_why(measured: Features, words: str) -> None:
    shown = page(measured, strip=())
    assert "no clips" in shown.words
    assert words in shown.words


def test_moments_that_were_all_dropped_are_said_to_be() -> None:
    document = segment(match(), V2).document
    assert isinstance(document, HighlightsDocument)
    report = replace(
        document.filter_report,
        quality=tuple(replace(one, action="drop_quality") for one in document.filter_report.quality),
    )
    shown = page(document=replace(document, final_clips=(), filter_report=report))
    assert f"All {len(document.candidate_windows)} moments that stood out were dropped" in shown.words


@pytest.mark.parametrize("settings", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("seed", range(6))
def test_any_video_gives_a_well_formed_page(seed: int, settings: Settings) -> None:
    shown = page(random_features(seed), settings)
    numbers = re.findall(r"[ML,:%-](nan|inf)\b", shown.source.split("<script>")[0].lower())
    assert not numbers


def test_pictures_may_be_missing_or_broken() -> None:
    shown = page(thumbnails={0: b"no jpeg"}, strip=[(1.0, b"")])
    assert "no picture" in shown.words
    assert not values(shown, "img", "src")


def test_the_page_of_three_hours_stays_small() -> None:
    dice = random_features(3)  # its curves repeat
    seconds, points = 10_800, 21_600
    loudness = [float(dice.loudness_z[at % len(dice.loudness_z)]) for at in range(points)]
    motion = [float(dice.motion_z[(7 * at) % len(dice.motion_z)]) for at in range(points)]
    cuts: list[Cut] = [hard(frame) for frame in range(50, 25 * seconds, 100)]
    measured = features(seconds, loudness=loudness, motion=motion, cuts=cuts)
    document = segment(measured, V2).document
    assert len(document.final_clips) > 100
    picture = jpeg()
    shown = page(
        measured,
        document=document,
        thumbnails={clip.clip_index: picture for clip in document.final_clips},
        strip=[(10.0 * at, PICTURE) for at in range(1080)],
    )
    assert len(shown.source) < 3_000_000
    assert len(values(shown, "img", "src")) > len(document.final_clips)


def test_times_are_written_as_people_do() -> None:
    assert [clock(seconds) for seconds in (0, 34.9, 725, 3723.4)] == ["0:00", "0:34", "12:05", "1:02:03"]
    assert clock(34.56, 1) == "0:34.5"
    assert [span(seconds) for seconds in (0.04, 0.4, 9.96, 59.4, 60, 200, 7500, 10_800)] == [
        "0.04 s", "0.4 s", "10 s", "59 s", "1 min", "3 min 20 s", "2 h 5 min", "3 h",
    ]  # fmt: skip
