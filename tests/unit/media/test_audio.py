from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import MediaError
from clipd.media.audio import Sound, SoundFacts
from clipd.media.door import Limits
from clipd.media.probe import probe
from tests.footage import footage, make, pictures

SECONDS = 4


def ramp(rate: int, channels: int = 1) -> np.ndarray:
    """Samples that tell where they are: sample k is k modulo 30000, channel c adds c."""
    line = np.arange(SECONDS * rate) % 30000 + 1
    return np.stack([line + channel for channel in range(channels)]).astype(np.int16)


def make_sound(
    path: Path,
    codec: str = "pcm_s16le",
    *,
    rate: int = 48000,
    layout: str = "mono",
    parts: Sequence[tuple[int, int, int]] | None = None,
) -> Path:
    """A 25 fps video with `ramp` as sound; `parts` are (first sample, end sample, time in samples) to write."""
    samples = ramp(rate, av.AudioLayout(layout).nb_channels)
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = output.add_stream(codec, rate=rate)
        audio.codec_context.layout = layout
        for frame in pictures(25 * SECONDS, 64, 48):
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for begin, end, at in parts or [(0, samples.shape[1], 0)]:
            for start in range(begin, end, 1024):
                part = samples[:, start : min(start + 1024, end)]
                block = av.AudioFrame.from_ndarray(np.ascontiguousarray(part.T).reshape(1, -1), "s16", layout)
                block.sample_rate, block.time_base = rate, Fraction(1, rate)
                block.pts = at + start - begin
                output.mux(audio.encode(block))
        output.mux(audio.encode(None))
    return path


def heard(path: Path, start: Fraction, end: Fraction, track: int = 0) -> tuple[np.ndarray, int, SoundFacts]:
    """All samples of a cut as (channels, samples), its rate and facts; blocks must join without a gap."""
    info = probe(path, Limits())
    parts, position = [], 0
    with Sound(path, info.audio[track], start, end, Limits()) as sound:
        for block in sound.until(end - start + 1):
            assert block.pts == position
            position += block.samples
            array = block.to_ndarray()
            if not block.format.is_planar:
                array = array.reshape(-1, block.layout.nb_channels).T
            parts.append(array)
        return (np.concatenate(parts, axis=1) if parts else np.zeros((1, 0))), sound.rate, sound.facts


@pytest.mark.parametrize(("rate", "layout"), [(48000, "mono"), (44100, "stereo"), (8000, "mono"), (48000, "5.1")])
@pytest.mark.parametrize(("start", "end"), [(Fraction(0), Fraction(1)), (Fraction(31, 25), Fraction(77, 25))])
def test_the_cut_is_exact_to_the_sample(tmp_path: Path, rate: int, layout: str, start: Fraction, end: Fraction) -> None:
    path = make_sound(tmp_path / "v.mov", rate=rate, layout=layout)
    samples, found, facts = heard(path, start, end)
    assert found == rate
    channels = samples.shape[0]
    assert np.array_equal(samples, ramp(rate, channels)[:, int(start * rate) : int(end * rate)])
    assert facts.silent == []


@pytest.mark.parametrize(("codec", "suffix"), [("aac", "mp4"), ("flac", "mkv")])
def test_eight_channels_are_cut_like_any_other(tmp_path: Path, codec: str, suffix: str) -> None:
    path = make_sound(tmp_path / f"v.{suffix}", codec, layout="7.1")
    samples, rate, facts = heard(path, Fraction(31, 25), Fraction(77, 25))
    assert samples.shape == (8, 46 * rate // 25)
    assert facts.silent == []
    assert len({channel.tobytes() for channel in samples}) == 8


def test_the_cut_begins_at_the_first_sample_inside_the_span(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "v.mov", rate=44100)
    samples, _, _ = heard(path, Fraction(1, 3), Fraction(2, 3))
    assert samples[0, 0] == ramp(44100)[0, 14700]
    samples, _, _ = heard(path, Fraction(1, 30000), Fraction(1, 3))
    assert samples[0, 0] == ramp(44100)[0, 2]


def test_a_late_start_is_filled_with_silence_and_named(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "v.mkv", parts=[(0, 96000, 24000)])
    samples, _, facts = heard(path, Fraction(0), Fraction(2))
    assert samples.shape == (1, 96000)
    assert not samples[0, :24000].any()
    assert np.array_equal(samples[0, 24000:], ramp(48000)[0, :72000])
    assert facts.silent == [(Fraction(0), Fraction(1, 2))]


def test_a_gap_is_filled_so_that_sound_after_it_stays_with_the_picture(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "v.mkv", parts=[(0, 49152, 0), (60000, 160000, 60000)])
    samples, _, facts = heard(path, Fraction(1, 2), Fraction(3))
    # Matroska tells times in milliseconds: sound after the gap may lie half of one off.
    assert [(round(float(a), 2), round(float(b), 3)) for a, b in facts.silent] == [(0.52, 0.226)]
    after = samples[0, 60000 - 24000 + 100 :].astype(int) - ramp(48000)[0, 60000 + 100 : 144000].astype(int)
    assert np.abs(after).max() <= 24
    assert np.unique(after).size == 1


def test_sound_that_ends_early_is_filled_to_the_end(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "v.mov", parts=[(0, 96000, 0)])
    samples, _, facts = heard(path, Fraction(1), Fraction(3))
    assert samples.shape == (1, 96000)
    assert not samples[0, 48000:].any()
    assert facts.silent == [(Fraction(1), Fraction(1))]


def test_a_track_without_sound_in_the_span_is_empty(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "v.mov", parts=[(0, 48000, 0)])
    info = probe(path, Limits())
    with Sound(path, info.audio[0], Fraction(2), Fraction(3), Limits()) as sound:
        assert sound.is_empty


@pytest.mark.parametrize("index", [0, 1], ids=["another kind", "fewer tracks"])
def test_a_file_that_was_replaced_by_one_without_the_track_is_told_of(tmp_path: Path, index: int) -> None:
    path = make_sound(tmp_path / "v.mov", parts=[(0, 48000, 0)])
    info = probe(path, Limits())
    make(tmp_path / "v.mp4").rename(path)
    sound = Sound(path, replace(info.audio[0], index=index), Fraction(0), Fraction(1), Limits())
    with pytest.raises(MediaError, match=f"v.mov no longer has an audio track {index}"), sound:
        pass


def test_g711_is_decoded(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "v.mov", "pcm_alaw", rate=8000)
    samples, rate, _ = heard(path, Fraction(1), Fraction(2))
    assert (rate, samples.shape) == (8000, (1, 8000))
    assert np.abs(samples[0].astype(int) - ramp(8000)[0, 8000:16000]).max() < 1100


def test_broken_packets_are_skipped_counted_and_filled(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "v.mkv", "flac")
    with av.open(str(path)) as container:
        sizes = [(p.pos, p.size, bytes(p)) for p in container.demux(audio=0) if p.size]
    data = bytearray(path.read_bytes())
    for _, size, content in sizes[10:12]:
        at = data.index(content[:64])
        data[at : at + size] = bytes(size)
    path.write_bytes(data)
    samples, _, facts = heard(path, Fraction(0), Fraction(3))
    whole = ramp(48000)[0, :144000].astype(int)
    assert facts.broken_packets == 2
    assert facts.silent
    assert np.abs(samples[0, 100000:].astype(int) - whole[100000:]).max() <= 48


@pytest.mark.footage
@pytest.mark.parametrize("name", ["mdn_friday.mp4", "mdnshared_tears-of-steel-battle-clip-medium.webm"])
def test_a_cut_from_the_middle_equals_a_decode_from_the_start(name: str) -> None:
    path = footage(name)
    start, end = Fraction(2), Fraction(3)
    samples, rate, _ = heard(path, start, end)
    with av.open(str(path)) as container:
        frames = [f for f, _ in zip(container.decode(audio=0), range(800), strict=False)]
    # Where the file's own times put the sound: the frame that is shown at the start, and what follows it.
    late = next(n for n, f in enumerate(frames) if f.pts * f.time_base + Fraction(f.samples, rate) > start)
    whole = np.concatenate([frame.to_ndarray() for frame in frames[late:]], axis=1)
    at = round((start - frames[late].pts * frames[late].time_base) * rate)
    size = rate // 5
    assert samples.shape[1] == rate
    assert whole.std() > 0.01
    shifts = range(max(0, at - rate // 1000), at + rate // 1000)
    assert min(np.abs(samples[:, :size] - whole[:, shift : shift + size]).max() for shift in shifts) < 1e-4
