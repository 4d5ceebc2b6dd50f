from __future__ import annotations

from pathlib import Path

import av
import av.filter
import pytest

from clipd.media.door import Limits
from clipd.media.glance import Glance, Viewing
from clipd.media.glance import Settings as ViewSettings
from clipd.media.probe import probe
from clipd.segmentation.scenes.scene import Scene, SceneScore, Settings
from tests.footage import footage
from tests.unit.segmentation.scenes.glances import cuts, frames, plain


def selected(path: Path) -> list[int]:
    """The frames that FFmpeg's own filter selects at full size."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=stream), graph.add("select", "gt(scene,0.3)"), graph.add("buffersink")
        ).configure()
        stamps, found = [], []
        for frame in container.decode(stream):
            stamps.append(frame.pts)
            graph.push(frame)
            try:
                found.append(graph.pull().pts)
            except (BlockingIOError, EOFError):
                continue
        return [stamps.index(pts) for pts in found]


@pytest.mark.footage
@pytest.mark.parametrize(
    "name",
    [
        "mdnshared_tears-of-steel-battle-clip-medium.webm",
        "pyscenedetect_testvideo.mp4",
        "torchcodec_nasa_13013.mp4",
        "docutils_pens.mp4",
    ],
)
def test_the_same_frames_as_ffmpegs_filter_at_full_size(name: str) -> None:
    path, scene = footage(name), Scene(Settings())
    for seen in Viewing(path, probe(path, Limits()), Limits(), ViewSettings()):
        if isinstance(seen, Glance):
            scene.feed(seen)

    assert frames(scene.finish()) == selected(path)


def test_the_score_is_the_smaller_of_the_change_and_its_change() -> None:
    score = SceneScore()

    scores = [score.of(change) for change in (0.0, 0.0, 50.0, 50.0, 20.0)]

    assert scores == pytest.approx([0, 0, 0.5, 0, 0.2])


def test_the_threshold_itself_is_no_cut() -> None:
    film = [plain(20, 128, 128)] * 3 + [plain(50, 128, 128)] * 3 + [plain(81, 128, 128)] * 3

    assert frames(cuts("scene", film)) == [6]
    assert frames(cuts("scene", film, threshold=0.29)) == [3, 6]
