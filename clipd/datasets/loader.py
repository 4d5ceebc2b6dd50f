"""The loader: exact frames of a video as arrays, wherever in the file they lie.

Frame i is the i-th frame in presentation order of the real file, also on a variable frame rate: frames are found
through the file's index and counted from sync frames, never by multiplying with a rate. Frames asked for in ascending
order cost one decode of what lies between them, and none where a sync frame lets a long stretch be left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from clipd.datasets.row import WHOLE, Span
from clipd.errors import MediaError, Rejected
from clipd.media import index as frame_index
from clipd.media.decode import IndexWrong, frames
from clipd.media.door import Limits
from clipd.media.images import rgb_array
from clipd.media.orientation import Upright
from clipd.media.picture import Reshaper
from clipd.media.probe import probe
from clipd.model.crop import CropPath, CropPlan, Rect
from clipd.model.timespan import FrameSpan

if TYPE_CHECKING:
    import av

Array = NDArray[np.uint8]
Output = Literal["numpy", "torch"]

LEAP_FRAMES = 32
"""Decoding on is cheaper than opening the file at a later sync frame, up to so many frames between."""
BACKENDS = ("auto", "pyav")
GPU = "cuda"


class NoSuchFrame(Rejected, IndexError):
    """The video, or the part of it that was asked for, has no frame of this number."""


class VideoLoader:
    """A video, or a part of one, as arrays: uint8, RGB, upright, (height, width, 3), or (N, height, width, 3).

    Frames are counted from 0, in presentation order, from the first frame of the part. The file is open only while
    frames are read from it; `close` it, or use a `with` block, to let go of it at once. A loader belongs to one thread.

    Raises the errors of `clipd.errors`: Rejected for what cannot be had, MediaError for what cannot be decoded.
    """

    def __init__(
        self,
        path: str | Path,
        backend: str = "auto",
        device: str = "cpu",
        *,
        output: Output = "numpy",
        span: Span = WHOLE,
        crop: CropPath | None = None,
        limits: Limits | None = None,
        cache: Path | None = None,
        threads: int = 0,
    ) -> None:
        """Probe and index the video at `path`.

        Args:
            path: the file; symbolic links are followed.
            backend: `auto` or `pyav`, which is what there is.
            device: `cpu`, or `gpu` (`cuda`) where a decoder for it is present. Where there is none, decoding falls back
                to the processor, a warning says so, and `device` and `notes` tell.
            output: `numpy`, or `torch` for tensors of the same shape.
            span: the part of the video to see.
            crop: the rectangle to cut from each frame, in pixels of the upright picture.
            limits: what a file may ask for before it is refused.
            cache: a local folder that remembers frame indexes.
            threads: decoder threads; 0 is one for each core.
        """
        if backend not in BACKENDS:
            raise Rejected(f"there is no backend {backend!r}; there is {', '.join(BACKENDS)}")
        if output not in ("numpy", "torch"):
            raise Rejected(f"there is no output {output!r}; there is numpy, torch")
        if output == "torch":
            _torch()
        self.path = Path(path).resolve()
        self.backend = "pyav"
        self.output: Output = output
        self._limits = limits or Limits()
        self._cache, self._threads, self._span = cache, threads, span
        if not self.path.exists():
            raise Rejected(f"{path} is not there")
        self._info = probe(self.path, self._limits)
        self._index = frame_index.load(self.path, self._info, self._limits, cache)
        video = self._info.video
        self._frames = span.within(self._index)
        self._plan = CropPlan(crop, video.width, video.height)
        if crop is not None and crop.zooms:
            raise Rejected("a crop that changes its size gives frames of different sizes; use one size, or export")
        self._upright = Upright(video.orientation, video.time_base)
        self._reshaper = Reshaper("rgb24", threads=threads)
        self._stream: Generator[tuple[int, av.VideoFrame], None, None] | None = None
        self._next = 0
        self.notes: tuple[str, ...] = self._info.notes
        """What was met in the file, or on the way to the device."""
        self.device = "cpu"
        """Where frames are decoded: `cpu` or `gpu`."""
        self._hardware: str | None = None
        self._choose(device)

    @property
    def total_frames(self) -> int:
        """How many frames there are."""
        return self._frames.count

    @property
    def first_frame(self) -> int:
        """The number in the whole file of what is frame 0 here."""
        return self._frames.first

    @property
    def fps(self) -> float:
        """Nominal frames per second: the container's word, else the mean."""
        return float(self._info.video.rate or self._index.count / self._index.time(self._index.count))

    @property
    def duration(self) -> float:
        """Seconds from the first frame's showing to the end of the last one's."""
        return float(self._after(self.total_frames - 1))

    @property
    def width(self) -> int:
        """Pixels."""
        return self._rect(0).width

    @property
    def height(self) -> int:
        """Pixels."""
        return self._rect(0).height

    def __len__(self) -> int:
        return self.total_frames

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        shape = f"{self.width}x{self.height}, {self.total_frames} frames, {self.fps:g} fps"
        return f"VideoLoader({str(self.path)!r}: {shape}, {self.backend} on {self.device})"

    def __enter__(self) -> VideoLoader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; the loader can still be used."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def time(self, number: int) -> float:
        """When frame `number` is shown, in seconds from frame 0."""
        first = self._index.time(self.first_frame)
        return float(self._index.time(self.first_frame + self._number(number)) - first)

    def get_frame(self, number: int) -> Any:
        """Frame `number` as (height, width, 3); negative numbers count from the end.

        Raises:
            NoSuchFrame: it has no such frame.
        """
        return self._out(self._array(self._number(number)))

    def sample_indices(self, indices: Iterable[int]) -> Any:
        """The frames of these numbers, in this order, each as often as it is named: (N, height, width, 3).

        Raises:
            NoSuchFrame: one is not there.
        """
        wanted = [self._number(int(number)) for number in indices]
        made = np.empty((len(wanted), self.height, self.width, 3), dtype=np.uint8)
        places: dict[int, list[int]] = {}
        for place, number in enumerate(wanted):
            places.setdefault(number, []).append(place)
        for number in sorted(places):
            made[places[number]] = self._array(number)
        return self._out(made)

    def sample_uniform(self, count: int) -> Any:
        """`count` frames evenly over the video, the first and the last among them: (count, height, width, 3)."""
        return self.sample_indices(self.uniform_indices(count))

    def sample_fps(self, rate: float) -> Any:
        """The frames shown at 0, 1/rate, 2/rate ... seconds: (N, height, width, 3)."""
        return self.sample_indices(self.fps_indices(rate))

    def sample_adaptive(self, min_frames: int = 8, max_frames: int = 64, frames_per_second: float = 1.0) -> Any:
        """Evenly spread frames, more of them the longer the video is, within two bounds."""
        return self.sample_indices(self.adaptive_indices(min_frames, max_frames, frames_per_second))

    def uniform_indices(self, count: int) -> NDArray[np.int64]:
        """The numbers of `count` frames evenly from the first to the last; one is the middle.

        Where the video has fewer, some stand there more than once: the count is always the one asked for.
        """
        if count < 1:
            raise Rejected(f"{count} frames were asked for; ask for 1 or more")
        if count == 1:
            return np.asarray([self.total_frames // 2], dtype=np.int64)
        # Integers, rounded half up: the same on every machine.
        last = self.total_frames - 1
        places = (2 * np.arange(count, dtype=np.int64) * last + (count - 1)) // (2 * (count - 1))
        return np.asarray(places, dtype=np.int64)

    def fps_indices(self, rate: float) -> NDArray[np.int64]:
        """The numbers of the frames shown at 0, 1/rate, 2/rate ... seconds from frame 0, by their true times.

        Where the video shows fewer frames a second than that, some stand there more than once.
        """
        if not rate > 0:
            raise Rejected(f"a rate of {rate:g} frames per second gives no frames; ask for more than 0")
        step = 1 / Fraction(str(rate))
        base = self._index.time_base
        pts = self._index.pts[self._frames.first : self._frames.last + 1]
        ticks = -(-self._after(self.total_frames - 1) // step)
        moments = [int(pts[0]) + (number * step / base).__floor__() for number in range(int(ticks))]
        return np.searchsorted(pts, np.asarray(moments, dtype=np.int64), side="right").astype(np.int64) - 1

    def adaptive_indices(
        self, min_frames: int = 8, max_frames: int = 64, frames_per_second: float = 1.0
    ) -> NDArray[np.int64]:
        """The numbers of `duration x frames_per_second` frames, at least `min_frames`, at most `max_frames`, evenly."""
        if not 1 <= min_frames <= max_frames:
            raise Rejected(f"between {min_frames} and {max_frames} frames there are none; give 1 <= min <= max")
        return self.uniform_indices(min(max(round(self.duration * frames_per_second), min_frames), max_frames))

    def stream(self, batch_size: int = 32) -> Iterator[Any]:
        """All frames in order, `batch_size` at a time (the last batch may be smaller); memory is that of one batch."""
        if batch_size < 1:
            raise Rejected(f"batches of {batch_size} frames hold none; ask for 1 or more")
        for first in range(0, self.total_frames, batch_size):
            yield self.sample_indices(range(first, min(first + batch_size, self.total_frames)))

    def get_metadata(self) -> dict[str, Any]:
        """What is known of the video, as JSON values; sizes in pixels, times in seconds."""
        video = self._info.video
        index, part = self._index, self._frames
        steps = np.diff(index.pts[part.first : part.last + 1])
        return {
            "path": str(self.path),
            "container": self._info.container,
            "codec": video.codec,
            "profile": video.profile,
            "width": self.width,
            "height": self.height,
            "pixel_format": video.pix_fmt,
            "bits": video.bits,
            "pixel_aspect": str(video.sar),
            "orientation": video.orientation.name.lower(),
            "total_frames": self.total_frames,
            "first_frame": self.first_frame,
            "fps": round(self.fps, 6),
            "duration": round(self.duration, 6),
            "variable_frame_rate": bool(len(steps)) and int(steps.max()) - int(steps.min()) > 1,
            "sync_frames": int(np.count_nonzero((index.sync >= part.first) & (index.sync <= part.last))),
            "audio": [
                {"codec": track.codec, "rate": track.rate, "channels": track.channels, "language": track.language}
                for track in self._info.audio
            ],
            "backend": self.backend,
            "device": self.device,
            "notes": list(self.notes),
        }

    def _after(self, number: int) -> Fraction:
        """When the showing of frame `number` ends, in seconds from frame 0."""
        index, at = self._index, self.first_frame + number
        return index.time(at) + index.duration(at) * index.time_base - index.time(self.first_frame)

    def _number(self, number: int) -> int:
        found = number + self.total_frames if number < 0 else number
        if not 0 <= found < self.total_frames:
            raise NoSuchFrame(
                f"{self.path.name} has no frame {number}; it has {self.total_frames}, 0 to {self.total_frames - 1}"
            )
        return int(found)

    def _rect(self, number: int) -> Rect:
        return self._plan.at(self.first_frame + number)

    def _array(self, number: int) -> Array:
        """Frame `number`, upright and cropped."""
        frame = self._upright(self._decoded(self.first_frame + number))
        video, rect = self._info.video, self._rect(number)
        # Some videos change their size on the way: every frame comes in the size of the first.
        picture = rgb_array(self._reshaper.fit(frame, video.width, video.height))
        cut: Array = picture[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
        return cut if cut.shape == picture.shape else np.ascontiguousarray(cut)

    def _decoded(self, at: int) -> av.VideoFrame:
        """The frame of this number in the whole file, as coded."""
        try:
            return self._read(at)
        except IndexWrong:
            # Once: an index from decoded frames is never wrong in this way.
            self.close()
            self._index = frame_index.rebuild(self.path, self._info, self._limits, self._cache)
            count = self._frames.count
            self._frames = self._span.within(self._index)
            if self._frames.count != count:
                raise MediaError(
                    f"{self.path.name} delivers {self._frames.count} frames, not {count} as it says; load it again"
                ) from None
            return self._read(at)

    def _read(self, at: int) -> av.VideoFrame:
        sync = self._index.sync_before(at)
        if self._stream is None or at < self._next or sync - self._next > LEAP_FRAMES:
            self.close()
            self._next = at
            span = FrameSpan(at, self._frames.last)
            self._stream = self._frames_of(span)
        for number, frame in self._stream:
            self._next = number + 1
            if number == at:
                return frame
        raise MediaError(f"{self.path.name}: frame {at} cannot be delivered")

    def _frames_of(self, span: FrameSpan) -> Any:
        return frames(
            self.path,
            self._info,
            self._index,
            span,
            self._limits,
            threads=self._threads,
            orient=False,
            device=self._hardware,
        )

    def _choose(self, device: str) -> None:
        """Decode the first frame on the device that was asked for, and stay there if that works."""
        kind = device.partition(":")[0].lower()
        if kind == "cpu":
            return
        if kind not in ("gpu", GPU):
            raise Rejected(f"there is no device {device!r}; there is cpu, gpu")
        self._hardware = GPU
        try:
            self._read(self.first_frame)
        except MediaError as error:
            self._hardware = None
            words = f"no decoder of a GPU can be used for {self.path.name}, so the processor decodes it: {error}"
            self.notes = (*self.notes, words)
            warnings.warn(words, RuntimeWarning, stacklevel=3)
        else:
            self.device = "gpu"
        finally:
            self.close()

    def _out(self, made: Array) -> Any:
        if self.output == "numpy":
            return made
        torch = _torch()
        tensor = torch.from_numpy(made)
        return tensor.cuda() if self.device == "gpu" and torch.cuda.is_available() else tensor


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise Rejected("tensors were asked for, and PyTorch is not installed: pip install torch") from error
    return torch
