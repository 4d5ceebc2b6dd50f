"""The report page in a real browser, about real footage: mouse, keys, zoom, a phone, the dark, hostile names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.segmentation import survey
from clipd.segmentation.page import render
from clipd.segmentation.segment import segment
from clipd.segmentation.settings import Settings
from tests.browser import Browser
from tests.footage import footage, make

HOSTILE = '"><img src=x onerror="hacked=1"><script>hacked=1</script>\u202e.mp4'


def report(video: Path, folder: Path, name: str = "") -> Path:
    """The page about `video`, with pictures."""
    asked = survey.Settings.model_validate({"scenes": {"detectors": ["scene", "gradual"]}})
    measured = survey.survey(video, asked, Limits(), lambda *_: None, threads=2)
    document = segment(measured, Settings()).document
    middles = {(clip.start_frame + clip.end_frame) // 2: clip.clip_index for clip in document.final_clips}
    thumbnails, strip = {}, []
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 40 == 0:
                strip.append((float(measured.frame_times[number]), jpeg(frame, 160)))
            if number in middles:
                thumbnails[middles[number]] = jpeg(frame, 320)
    page = folder / "report.html"
    page.write_text(render(name or video.name, measured, document, thumbnails, strip))
    return page


def jpeg(frame: av.VideoFrame, width: int) -> bytes:
    picture = cv2.resize(frame.to_ndarray(format="bgr24"), (width, round(width * frame.height / frame.width)))
    return np.asarray(cv2.imencode(".jpg", picture)[1]).tobytes()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(
        footage("mdnshared_tears-of-steel-battle-clip-medium.webm"), tmp_path_factory.mktemp("report with spaces & é")
    )


def words(browser: Browser, selector: str) -> str:
    return " ".join(str(browser.run(f"document.querySelector('{selector}').innerText")).split())


def marked(browser: Browser) -> list[str]:
    return [str(one) for one in browser.run("Array.from(document.querySelectorAll('.on'), (node) => node.id)")]


def test_it_loads_nothing_else_and_complains_of_nothing(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.complaints == []
    assert [url.partition(",")[0] for url in browser.requests if not url.startswith("data:image/")] == [page.as_uri()]
    assert browser.run(
        "Array.from(document.images).every((image) => image.naturalWidth > 0 || image.loading === 'lazy')"
    )
    assert browser.run("document.querySelectorAll('.card img').length") == browser.run(
        "document.querySelectorAll('.card').length"
    )


def test_pointing_at_the_timeline_tells_the_time_and_what_is_there(browser: Browser, page: Path) -> None:
    browser.open(page)
    left, top, width, height = browser.box("svg.curve")
    browser.point(left + width / 2, top + height / 2)
    middle = float(browser.run("document.body.dataset.length")) / 2
    said = re.match(r"0:(\d\d\.\d) loudness \d+ dB movement \d+ % excitement \d+ %", words(browser, "#reading"))
    assert said
    assert abs(float(said[1]) - middle) < 0.2
    cursor = browser.box("#cursor")
    assert abs(cursor[0] - (left + width / 2)) < 2


def test_a_dropped_moment_says_why_to_the_mouse_and_to_the_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page)
    left, top, width, height = browser.box(".block.dropped")
    browser.point(left + width / 2, top + height / 2)
    assert re.search(r"Dropped, .* overlaps clip \d+, which is better", words(browser, "#reading"))
    browser.point(5, 5)
    browser.open(page)
    browser.run("Array.from(document.querySelectorAll('.block.kept')).pop().focus()")
    browser.key("Tab")
    assert browser.run("document.activeElement.className") == "block dropped"
    assert re.search(r"Dropped, .* overlaps", words(browser, "#reading"))
    browser.key("Enter")
    assert browser.run("document.querySelector('#dropped details').open")


def test_a_card_marks_its_window_and_a_window_its_card(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click(".card:nth-child(2)")
    index = browser.run("document.querySelector('.card:nth-child(2)').dataset.index")
    assert marked(browser) == [f"window-{index}", f"clip-{index}"]
    assert words(browser, "#reading").partition(" % Clip ")[2].startswith("2, ")
    browser.click(".block.kept")
    index = browser.run("document.querySelector('.block.kept').dataset.index")
    assert marked(browser) == [f"window-{index}", f"clip-{index}"]
    browser.open(page, fragment=f"#clip-{index}")
    assert marked(browser) == [f"window-{index}", f"clip-{index}"]


def test_zoom_keeps_what_is_under_the_mouse_and_comes_back(browser: Browser, page: Path) -> None:
    browser.open(page)
    left, top, width, _ = browser.box("#scroll")
    at = left + width * 0.7
    browser.point(at, top + 100)
    before = words(browser, "#reading b")
    browser.wheel(at, top + 100, -400, control=True)
    assert browser.run("document.getElementById('tracks').offsetWidth") > 2 * width
    browser.point(at + 1, top + 100)
    browser.point(at, top + 100)
    assert abs(float(words(browser, "#reading b")[2:]) - float(before[2:])) < 0.3
    shown = browser.run(
        "Array.from(document.querySelectorAll('#strip img:not([hidden])')).filter((image) => image.complete).length"
    )
    assert shown > 12
    browser.click("#all")
    assert abs(browser.run("document.getElementById('tracks').offsetWidth") - width) < 2
    browser.run("document.getElementById('scroll').focus()")
    browser.key("+")
    assert abs(browser.run("document.getElementById('tracks').offsetWidth") - 2 * width) < 4
    said = words(browser, "#reading b")
    browser.key("ArrowRight")
    assert words(browser, "#reading b") > said


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_it_fits_any_screen(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.getElementById('tracks').offsetWidth") <= width
    for number in range(1, 6):
        left, _, wide, _ = browser.box(f".card:nth-child({number})")
        assert left >= 0
        assert left + wide <= width


def test_it_is_dark_where_the_person_likes_it_dark_and_prints(browser: Browser, page: Path) -> None:
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]"
    browser.open(page)
    assert browser.run(brightness) > 200
    browser.open(page, dark=True)
    assert browser.run(brightness) < 60
    assert browser.printed().startswith(b"%PDF")
    assert browser.run("document.querySelector('#dropped details').open")


def test_a_hostile_name_is_only_a_name(browser: Browser, tmp_path: Path) -> None:
    browser.open(report(make(tmp_path / "film.mp4", count=50), tmp_path, HOSTILE))
    assert browser.run("typeof hacked") == "undefined"
    assert browser.complaints == []
    assert words(browser, "h1") == HOSTILE.replace("\u202e", "\\u202e")


def test_a_single_picture_gives_a_page_that_says_so(browser: Browser, tmp_path: Path) -> None:
    browser.open(report(make(tmp_path / "one.mp4", count=1), tmp_path))
    left, top, width, height = browser.box("#scroll")
    browser.point(left + width / 2, top + height / 2)
    assert browser.complaints == []
    assert "single picture" in words(browser, ".note.warn")
