from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipd.errors import MediaError, Rejected
from clipd.media.door import Limits, only, opened
from tests.footage import footage, make

LIMITS = Limits()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("door") / "video.mp4", count=5)


@contextlib.contextmanager
def listening() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine and the connections that reached it."""
    seen: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def accept() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, peer = server.accept()
                    connection.close()
                    seen.append(peer)

        waiting = threading.Thread(target=accept)
        waiting.start()
        try:
            yield server.getsockname()[1], seen
        finally:
            over.set()
            waiting.join()


def test_a_regular_file_is_opened_for_reading(video: Path) -> None:
    with opened(video, LIMITS) as container:
        assert container.streams.video[0].frames == 5
        assert len(list(container.decode(video=0))) == 5


def test_the_descriptor_is_closed_afterwards(video: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with opened(video, LIMITS):
            pass
    with contextlib.suppress(MediaError), opened(Path(__file__), LIMITS):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    "name",
    [
        b"-y.mp4",
        b"http:x.mp4",
        b"concat:a|b.mp4",
        b"pipe:0",
        b"fd:",
        b"%d.mp4",
        b"two\nlines.mp4",
        b"not utf-8 \xff\xfe.mp4",
        b"'\";$(x) .mp4",
        b"x" * 251 + b".mp4",
    ],
)
def test_a_name_is_only_a_name(video: Path, tmp_path: Path, name: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(video.read_bytes())
    monkeypatch.chdir(tmp_path)
    for way in (path, Path(path.name)):
        with opened(way, LIMITS) as container:
            assert container.streams.video[0].frames == 5


def test_what_is_no_regular_file_is_refused_at_once(video: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "folder.mp4").mkdir()
    for name in ("fifo.mp4", "link.mp4", "folder.mp4"):
        with pytest.raises(Rejected, match="regular file"), opened(tmp_path / name, LIMITS):
            pass
    with pytest.raises(Rejected, match="regular file"), opened(Path("/dev/zero"), LIMITS):
        pass


def test_a_missing_file_is_a_media_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file"), opened(tmp_path / "absent.mp4", LIMITS):
        pass


PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {target}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
    'mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "ffmetadata": ";FFMETADATA1\ntitle={target}\n",
    "asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "text": "an ordinary text, long enough to be looked at\n" * 40,
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_in_disguise_opens_nothing(video: Path, tmp_path: Path, kind: str) -> None:
    with listening() as (port, seen):
        for target in (str(video), f"file://{video}", f"http://127.0.0.1:{port}/x.mp4", f"tcp://127.0.0.1:{port}"):
            path = tmp_path / "video.mp4"
            path.write_text(PLAYLISTS[kind].format(target=target, port=port))
            with pytest.raises(MediaError), opened(path, LIMITS):
                pass
    assert not seen


@pytest.mark.footage
def test_more_tracks_than_allowed_are_refused() -> None:
    path = footage("torchcodec_nasa_13013.mp4")
    with opened(path, Limits(max_streams=6)):
        pass
    with pytest.raises(Rejected, match="6 tracks; at most 5"), opened(path, Limits(max_streams=5)):
        pass


@pytest.mark.footage
def test_only_one_track_is_read() -> None:
    with opened(footage("torchcodec_nasa_13013.mp4"), LIMITS) as container:
        only(container, container.streams[3])
        container.seek(0)  # past what opening the file had read ahead
        assert {packet.stream_index for packet in container.demux() if packet.size} == {3}
