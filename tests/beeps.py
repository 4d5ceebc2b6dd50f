"""A film that beeps and flashes at the same moments, recordings cut from it by libavformat, and both found again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BEEP_SECONDS = 0.2


def beep_film(
    path: Path,
    *,
    seconds: int,
    rate: int = 25,
    size: tuple[int, int] = (96, 64),
    sound_rate: int = 48_000,
    codec: str = "libx264",
    audio: str | None = "aac",
    layout: str = "mono",
    gop: int = 25,
    options: dict[str, str] | None = None,
    first: int = 0,
) -> Path:
    """Every full second one frame is white and a tone begins; every frame is unlike the others.

    `first` counts the frames that were shown before: a film of the same scene that begins later.
    """
    width, height = size
    texture = np.random.default_rng(7).integers(0, 90, (height, width), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=rate, options={"preset": "veryfast"} | (options or {}))
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.gop_size = gop
        sound = None
        if audio is not None:
            sound = container.add_stream(audio, rate=sound_rate, layout=layout)
        heard = first * sound_rate // rate
        for number in range(first, first + seconds * rate):
            luma = np.roll(texture, number, axis=1)
            luma[number % height] = 120
            if number % rate == 0:
                luma = np.full_like(luma, 230)
            planes = np.concatenate((luma, np.full((height // 2, width), 128, np.uint8)))
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number - first, Fraction(1, rate)
            container.mux(video.encode(frame))
            until = (number + 1) * sound_rate // rate
            if sound is not None:
                container.mux(sound.encode(_tone(heard, until - heard, first * sound_rate // rate, sound)))
            heard = until
        container.mux(video.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return path


def _tone(begin: int, count: int, origin: int, stream: av.AudioStream) -> av.AudioFrame:
    rate, channels = stream.codec_context.sample_rate, stream.codec_context.layout.nb_channels
    at = np.arange(begin, begin + count)
    samples = np.where(at % rate < BEEP_SECONDS * rate, 0.5 * np.sin(2 * np.pi * 1000 * at / rate), 0)
    shape = "fltp"
    frame = av.AudioFrame.from_ndarray(
        np.tile(samples.astype(np.float32), (channels, 1)), format=shape, layout=stream.codec_context.layout.name
    )
    frame.pts, frame.sample_rate, frame.time_base = begin - origin, rate, Fraction(1, rate)
    wanted = stream.codec_context.format.name
    if wanted == shape:
        return frame
    (changed,) = av.AudioResampler(wanted, frame.layout, rate).resample(frame)
    return changed


SEGMENT_FORMATS = {"ts": "mpegts", "mp4": "mp4", "mkv": "matroska"}


def cut(path: Path, folder: Path, extension: str, seconds: float, *, fragmented: bool = False) -> list[Path]:
    """Recordings of `seconds` or a little more, each beginning with a sync frame at time 0, in the order of time."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "segment_time": str(seconds),
        "segment_format": SEGMENT_FORMATS[extension],
        "reset_timestamps": "1",
    }
    if fragmented:
        options["segment_format_options"] = "movflags=frag_keyframe+empty_moov+default_base_moof+delay_moov"
    with (
        av.open(str(path)) as source,
        av.open(str(folder / f"%03d.{extension}"), "w", format="segment", container_options=options) as target,
    ):
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    return sorted(folder.iterdir())


def flashes(path: Path) -> list[float]:
    """When the white frames are shown, in seconds on the file's clock."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [
            float(frame.pts * frame.time_base) for frame in frames if np.median(frame.to_ndarray(format="gray")) > 180
        ]


def beeps(path: Path) -> list[float]:
    """When the tones begin, in seconds on the file's clock, to a few milliseconds."""
    times, loud = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()
            if not frame.format.is_planar:
                samples = samples.reshape(-1, frame.layout.nb_channels).T
            mono = samples[0].astype(np.float64)
            if samples.dtype.kind == "i":
                mono /= np.iinfo(samples.dtype).max
            start = float(frame.pts * frame.time_base)
            block = frame.sample_rate // 500
            for at in range(0, len(mono) - block + 1, block):
                times.append(start + at / frame.sample_rate)
                loud.append(float(np.abs(mono[at : at + block]).max()) > 0.15)
    quiet_since = -1.0
    found = []
    for time, is_loud in zip(times, loud, strict=True):
        if is_loud and time - quiet_since > 0.1:
            found.append(time)
        if is_loud:
            quiet_since = time
    return found


def times_of(path: Path) -> list[Fraction]:
    """When each frame is shown, by decoding."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]
