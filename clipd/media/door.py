"""The door: the only place that opens media for reading.

It stands apart because media come from anyone who can write to the share. What comes through it is a regular file,
read through the one descriptor opened here: libavformat is given the `fd` protocol and nothing else, so neither a
playlist, nor an external data reference, nor a name that looks like a URL or an option can make it open another file or
reach the network. Only real container formats are probed; playlists, scripts and image sequences are not among them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.container
import av.error
import av.stream
from av.codec.hwaccel import HWAccel

from clipd.errors import MediaError, Rejected
from clipd.model.setting import Section, setting

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2",
    "matroska,webm",
    "avi",
    "mpegts",
    "mpeg",
    "mpegvideo",
    "m4v",
    "h261",
    "h263",
    "h264",
    "hevc",
    "vvc",
    "av1",
    "obu",
    "ivf",
    "vc1",
    "flv",
    "asf",
    "ogg",
    "mxf",
    "gxf",
    "nut",
    "dv",
    "dhav",
    "rm",
    "wtv",
    "gif",
    "apng",
    "mjpeg",
    "yuv4mpegpipe",
    "wav",
    "w64",
    "aiff",
    "caf",
    "flac",
    "mp3",
    "aac",
    "ac3",
    "eac3",
)
"""libavformat's names of the formats that may be opened: self-contained containers and raw streams."""


class Limits(Section):
    """How much a media file may ask for before it is refused; a bomb ends in `Failed` and other clips go on."""

    max_pixels: int = setting(8192 * 8192, "Largest picture that is decoded, width times height.", unit="pixels", ge=1)
    max_streams: int = setting(64, "Most tracks that a file may have.", unit="tracks", ge=1, le=1000)
    max_duration_hours: float = setting(48, "Longest video that is indexed.", unit="hours", gt=0)
    max_frames: int = setting(20_000_000, "Most frames that a video may have.", unit="frames", ge=1)
    open_timeout_seconds: float = setting(60, "How long opening a file may take.", unit="seconds", gt=0)
    read_timeout_seconds: float = setting(60, "How long reading one packet may take.", unit="seconds", gt=0)


@contextmanager
def opened(path: Path, limits: Limits, device: str | None = None) -> Iterator[av.container.InputContainer]:
    """The media file at `path`, open for demuxing and decoding.

    Decoders refuse pictures larger than `limits.max_pixels`; their thread type is AUTO, their thread count 0 (all
    cores). With `device`, a kind that libavutil knows (`cuda`), they run on it, and frames are copied to main memory.

    Raises:
        Rejected: `path` is not a regular file, or the file has more tracks than the limits allow.
        MediaError: the file cannot be read or is in none of the known formats.
    """
    descriptor = open_regular(path)
    try:
        with _container(path, descriptor, limits, device) as container:
            if len(container.streams) > limits.max_streams:
                raise Rejected(
                    f"{path.name} has {len(container.streams)} tracks; at most {limits.max_streams} are allowed "
                    "(setting max_streams)"
                )
            for stream in container.streams.video:
                if stream.codec_context is not None:
                    stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
                    stream.codec_context.thread_type = "AUTO"
            yield container
    finally:
        os.close(descriptor)


def words_of(error: av.error.FFmpegError) -> str:
    """What the library said, without the name under which it knew the file."""
    return error.strerror or type(error).__name__


def only(container: av.container.InputContainer, stream: av.stream.Stream) -> None:
    """Tell the demuxer of `container` to skip every track but `stream`, so that their data are not even read."""
    for other in container.streams:
        other.discard = av.stream.Discard.default if other is stream else av.stream.Discard.all


def open_regular(path: Path) -> int:
    """A descriptor of the regular file at `path`; returns at once whatever stands there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        if path.is_symlink():
            raise Rejected(f"{path.name} is a symbolic link; only regular files are opened") from error
        raise MediaError(f"{path.name} cannot be opened", tail=error.strerror or "") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Rejected(f"{path.name} is not a regular file; only regular files are opened")
    return descriptor


def _container(path: Path, descriptor: int, limits: Limits, device: str | None) -> av.container.InputContainer:
    try:
        return av.open(
            "fd:",
            mode="r",
            # Also for the decoders that libavformat runs itself to find out about the tracks.
            options={"max_pixels": str(limits.max_pixels)},
            container_options={
                "fd": str(descriptor),
                "protocol_whitelist": "fd",
                "format_whitelist": ",".join(FORMATS),
            },
            metadata_errors="replace",
            timeout=(limits.open_timeout_seconds, limits.read_timeout_seconds),
            hwaccel=None if device is None else HWAccel(device, allow_software_fallback=False),
        )
    except av.error.FFmpegError as error:
        raise MediaError(f"{path.name} cannot be read as media", tail=words_of(error)) from error
