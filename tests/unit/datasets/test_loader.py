"""The loader against a plain decode from the start: the right frame under every number, on real and odd files."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

from clipd.datasets import loader as loaders
from clipd.datasets.loader import NoSuchFrame, VideoLoader
from clipd.datasets.row import Span
from clipd.errors import MediaError, Rejected
from clipd.media.images import rgb_array
from clipd.media.orientation import Upright
from clipd.media.probe import probe
from clipd.model.crop import CropPath, Rect
from tests.footage import footage, make

FILMS = (
    "docutils_pens.mp4",  # turned by 90 degrees
    "forensics_VID_20191220_170832.mp4",  # variable rate
    "mdn_friday.mp4",
    "torchcodec_nasa_13013.mp4",
)


@cache
def truth(path: Path, last: int = 25) -> list[np.ndarray]:
    """The first frames of a film, by decoding from its first packet."""
    info = probe(path, loaders.Limits())
    upright = Upright(info.video.orientation, info.video.time_base)
    with av.open(str(path)) as container:
        stream = container.streams[info.video.index]
        return [rgb_array(upright(frame)) for frame, _ in zip(container.decode(stream), range(last), strict=False)]


@pytest.mark.footage
@pytest.mark.parametrize("name", FILMS)
def test_frames_are_those_of_a_plain_decode_in_any_order(name: str) -> None:
    path = footage(name)
    expected = truth(path)
    order = [len(expected) - 1, 0, 17, 17, 3, 18, -1 + len(expected)]
    with VideoLoader(path) as loader:
        made = loader.sample_indices(order)
        assert made.dtype == np.uint8
        assert made.shape == (len(order), loader.height, loader.width, 3)
        for place, number in enumerate(order):
            np.testing.assert_array_equal(made[place], expected[number])
        np.testing.assert_array_equal(loader.get_frame(20), expected[20])


def test_a_variable_rate_shifts_no_number(tmp_path: Path) -> None:
    stamps = [0, 1, 2, 3, 40, 41, 42, 90, 91, 300, 301, 302, 303, 340, 350, 351]
    path = make(tmp_path / "film.mp4", pts=stamps, time_base=Fraction(1, 100), keyframes=(7, 11))
    expected = truth(path)
    with VideoLoader(path) as loader:
        assert loader.total_frames == len(stamps) == len(expected)
        for number in (11, 2, 15, 7, 8):
            np.testing.assert_array_equal(loader.get_frame(number), expected[number])
        assert loader.time(9) == 3.0
        # Each second shows the frame that began last before it.
        assert loader.fps_indices(1).tolist() == [0, 8, 8, 9]
        assert loader.get_metadata()["variable_frame_rate"] is True


def test_one_pass_decodes_each_frame_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "film.mp4", count=120, keyframes=range(0, 120, 40))
    opened: list[tuple[int, int]] = []
    real = loaders.frames

    def counted(*arguments: Any, **named: Any) -> Any:
        opened.append((arguments[3].first, arguments[3].last))
        return real(*arguments, **named)

    monkeypatch.setattr(loaders, "frames", counted)
    with VideoLoader(path) as loader:
        made = np.concatenate(list(loader.stream(32)))
        assert opened == [(0, 119)]
        np.testing.assert_array_equal(made, np.stack(truth(path, 120)))
        loader.sample_indices([118, 1, 80, 0])
        # From the start; what lies between 1 and 80 is passed over; 118 is decoded on from 80.
        assert opened[1:] == [(0, 119), (80, 119)]


def test_sampling_is_evenly_spread_and_of_the_count_asked_for(tmp_path: Path) -> None:
    with VideoLoader(make(tmp_path / "film.mp4", count=50)) as loader:
        assert loader.uniform_indices(5).tolist() == [0, 12, 25, 37, 49]
        assert loader.uniform_indices(1).tolist() == [25]
        assert len(loader.uniform_indices(120)) == 120
        assert loader.fps_indices(5).tolist() == list(range(0, 50, 5))
        assert loader.fps_indices(50).tolist() == [number // 2 for number in range(100)]
        assert len(loader.adaptive_indices(4, 16, 1)) == 4
        assert len(loader.adaptive_indices(1, 16, 4)) == 8
        assert len(loader.adaptive_indices(1, 6, 100)) == 6
        assert loader.sample_uniform(3).shape == loader.sample_adaptive(3, 3).shape == (3, 64, 96, 3)
        assert loader.sample_fps(1).shape == (2, 64, 96, 3)
        assert [len(batch) for batch in loader.stream(20)] == [20, 20, 10]
        assert (loader.fps, loader.duration) == (25.0, 2.0)


def test_a_part_counts_from_its_own_first_frame(tmp_path: Path) -> None:
    path = make(tmp_path / "film.mp4", count=60)
    crop = CropPath(((0, Rect(10, 5, 31, 21)), (59, Rect(69, 5, 31, 21))))
    with VideoLoader(path, span=Span(Fraction(1), Fraction(2)), crop=crop) as loader:
        assert (loader.total_frames, loader.first_frame, loader.duration) == (25, 25, 1.0)
        assert (loader.width, loader.height) == (31, 21)
        np.testing.assert_array_equal(loader.get_frame(5), truth(path, 60)[30][5:26, 40:71])
        assert loader.time(5) == 0.2
    with VideoLoader(path, span=Span(first=58)) as loader:
        np.testing.assert_array_equal(loader.get_frame(-1), truth(path, 60)[59])


@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda path: VideoLoader(path.with_name("none.mp4")), "not there"),
        (lambda path: VideoLoader(path, backend="opencv"), "no backend"),
        (lambda path: VideoLoader(path, device="tpu"), "no device"),
        (lambda path: VideoLoader(path, output="list"), "no output"),
        (lambda path: VideoLoader(path, span=Span(Fraction(9))), "starts at 9.000 s"),
        (lambda path: VideoLoader(path, span=Span(first=99)), "reaches beyond the last frame"),
        (lambda path: VideoLoader(path).get_frame(50), "no frame 50; it has 50, 0 to 49"),
        (lambda path: VideoLoader(path).get_frame(-51), "no frame -51"),
        (lambda path: VideoLoader(path).sample_indices([0, 50]), "no frame 50"),
        (lambda path: VideoLoader(path).sample_uniform(0), "ask for 1 or more"),
        (lambda path: VideoLoader(path).sample_fps(0), "more than 0"),
        (lambda path: VideoLoader(path).sample_adaptive(9, 3), "none"),
        (lambda path: list(VideoLoader(path).stream(0)), "ask for 1 or more"),
        (
            lambda path: VideoLoader(path, crop=CropPath(((0, Rect(0, 0, 9, 9)), (9, Rect(0, 0, 8, 8))))),
            "changes its size",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_with_words(tmp_path: Path, do: Callable[[Path], Any], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        do(make(tmp_path / "film.mp4", count=50))


def test_a_frame_that_is_not_there_is_an_index_error_too(tmp_path: Path) -> None:
    with pytest.raises(IndexError):
        VideoLoader(make(tmp_path / "film.mp4", count=5)).get_frame(5)
    assert issubclass(NoSuchFrame, Rejected)


def test_a_broken_video_is_a_media_error(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 5000)
    with pytest.raises(MediaError):
        VideoLoader(path)


def test_a_link_is_followed(tmp_path: Path) -> None:
    path = make(tmp_path / "film.mp4", count=5)
    (tmp_path / "link.mp4").symlink_to(path)
    loader = VideoLoader(tmp_path / "link.mp4")
    assert str(loader) == str(path)
    assert Path(loader) == path


def test_falling_back_to_the_processor_is_said(tmp_path: Path) -> None:
    path = make(tmp_path / "film.mp4", count=5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loader = VideoLoader(path, device="cuda:0")
    if loader.device == "gpu":
        pytest.skip("this machine has a decoder")
    assert "so the processor decodes it" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert loader.device == loader.get_metadata()["device"] == "cpu"
    assert any("processor decodes it" in note for note in loader.notes)
    np.testing.assert_array_equal(loader.get_frame(3), truth(path)[3])


def test_tensors_come_when_torch_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "film.mp4", count=5)
    try:
        import torch
    except ImportError:
        with pytest.raises(Rejected, match="pip install torch"):
            VideoLoader(path, output="torch")
        # What is asked of the library, when it is there, is one function.
        torch = ModuleType("torch")
        torch.from_numpy = lambda array: ("tensor", array.shape)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "torch", torch)
        assert VideoLoader(path, output="torch").get_frame(0) == ("tensor", (64, 96, 3))
    else:
        made = VideoLoader(path, output="torch").sample_uniform(2)
        assert (made.dtype, tuple(made.shape)) == (torch.uint8, (2, 64, 96, 3))
