from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.media.envelope import Heard
from clipd.media.glance import Settings, Viewing

RATE = 48_000


def recorded(
    path: Path, *blocks: tuple[float, np.ndarray], codec: str = "pcm_s16le", layout: str = "mono", rate: int = RATE
) -> Path:
    """A file with sound alone: each block is the second at which it begins, and samples (channels, K) in -1..1."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        for seconds, samples in blocks:
            whole = np.ascontiguousarray((samples.T * 32767).astype(np.int16).reshape(1, -1))
            size = 1024 * samples.shape[0]
            for first in range(0, whole.shape[1], size):
                part = np.ascontiguousarray(whole[:, first : first + size])
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
                frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
                frame.pts = round(seconds * rate) + first // samples.shape[0]
                output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def heard(path: Path) -> tuple[list[Heard], Viewing]:
    viewing = Viewing(path, None, Limits(), Settings())
    return [one for one in viewing if isinstance(one, Heard)], viewing


def tone(seconds: float, peak: float = 0.5, channels: int = 1, rate: int = RATE) -> np.ndarray:
    wave = peak * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return np.tile(wave, (channels, 1))


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_all_of_the_sound_is_heard_at_its_loudness(tmp_path: Path, rate: int, layout: str) -> None:
    channels = {"mono": 1, "stereo": 2}[layout]
    path = recorded(tmp_path / "a.mkv", (0, tone(3, 0.5, channels, rate)), layout=layout, rate=rate)

    blocks, viewing = heard(path)

    samples = np.concatenate([block.samples for block in blocks])
    assert len(samples) == pytest.approx(3 * 16_000, abs=2)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
    begins = np.cumsum([0, *(len(block.samples) for block in blocks)])[:-1] / 16_000
    assert [block.seconds for block in blocks] == pytest.approx(begins.tolist(), abs=0.002)
    assert list(viewing.warnings()) == []


def test_channels_that_cancel_are_silent_and_one_of_two_is_half_as_loud(tmp_path: Path) -> None:
    wave = tone(1)
    opposed, _ = heard(recorded(tmp_path / "a.mkv", (0, np.vstack([wave, -wave])), layout="stereo"))
    single, _ = heard(recorded(tmp_path / "b.mkv", (0, np.vstack([wave, 0 * wave])), layout="stereo"))

    assert max(np.abs(block.samples).max() for block in opposed) < 0.001
    assert max(np.abs(block.samples).max() for block in single) == pytest.approx(0.25, rel=0.01)


def test_surround_is_mixed_down(tmp_path: Path) -> None:
    blocks, viewing = heard(recorded(tmp_path / "a.mkv", (0, tone(1, 0.5, 6)), layout="5.1"))

    assert sum(len(block.samples) for block in blocks) == pytest.approx(16_000, abs=2)
    assert list(viewing.warnings()) == []


def test_sound_after_a_gap_is_placed_where_it_is(tmp_path: Path) -> None:
    blocks, _ = heard(recorded(tmp_path / "a.mkv", (1, tone(1)), (5, tone(1))))

    assert min(block.seconds for block in blocks) == pytest.approx(1, abs=0.001)
    assert sum(len(block.samples) for block in blocks if block.seconds < 3) == pytest.approx(16_000, abs=2)
    assert min(block.seconds for block in blocks if block.seconds > 3) == pytest.approx(5, abs=0.001)


def test_the_first_audio_track_is_heard_beside_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        tracks = [output.add_stream("pcm_s16le", rate=RATE, layout="mono") for _ in range(2)]
        for track, peak in zip(tracks, (0.5, 0.1), strict=True):
            samples = (tone(1, peak) * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = RATE
            output.mux(track.encode(frame))

    blocks, _ = heard(path)

    assert max(np.abs(block.samples).max() for block in blocks) == pytest.approx(0.5, rel=0.01)
