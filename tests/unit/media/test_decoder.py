from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from clipd.media.decoder import Decoder, NotFoundError
from clipd.media.door import Limits, opened
from tests.footage import make

LIMITS = Limits()
OPTIONS = {"preset": "veryfast", "g": "10", "bf": "2"}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("decoder") / "video.mkv", count=40, options=OPTIONS)


def test_all_frames_come_out(video: Path) -> None:
    with opened(video, LIMITS) as container:
        decoder = Decoder(container, container.streams.video[0])
        delivered = [frame.pts for packet in decoder.packets() for frame in decoder.frames(packet)]
    assert delivered == [number * 40 for number in range(40)]
    assert decoder.last_words == ""


def test_a_broken_packet_is_passed_over_and_remembered(video: Path) -> None:
    with opened(video, LIMITS) as container:
        decoder = Decoder(container, container.streams.video[0], threads=1)
        packets = [packet for packet in decoder.packets() if packet.size]
        rubbish = av.Packet(b"\xff" * 100)
        rubbish.pts = rubbish.dts = packets[0].pts
        assert decoder.frames(rubbish) == []
        assert decoder.last_words
        assert sum(len(decoder.frames(packet)) for packet in [*packets, av.Packet()]) == 40


def test_packets_are_found_again_exactly(video: Path) -> None:
    with opened(video, LIMITS) as container:
        decoder = Decoder(container, container.streams.video[0])
        sync = [(packet.pts, packet.dts) for packet in decoder.packets() if packet.is_keyframe]
        for pts, dts in reversed(sync):
            found = next(decoder.packets_from(pts, pts if dts is None else dts))
            assert (found.pts, found.is_keyframe) == (pts, True)


def test_a_packet_that_is_not_there_is_not_found(video: Path) -> None:
    with opened(video, LIMITS) as container:
        decoder = Decoder(container, container.streams.video[0])
        with pytest.raises(NotFoundError):
            next(decoder.packets_from(41, 41))


def test_tracks_that_appear_on_the_way_do_not_stop_it(video: Path) -> None:
    class Stumbling:
        """A container whose binding runs into a track that it did not know."""

        def __init__(self, container: av.container.InputContainer) -> None:
            self.streams, self._container = container.streams, container

        def demux(self, stream: av.VideoStream) -> Iterator[av.Packet]:
            yield from (packet for packet in self._container.demux(stream) if packet.size)
            raise IndexError("list index out of range")

    with opened(video, LIMITS) as container:
        decoder = Decoder(Stumbling(container), container.streams.video[0])  # type: ignore[arg-type]
        assert sum(len(decoder.frames(packet)) for packet in decoder.packets()) == 40
