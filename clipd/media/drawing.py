"""Footage that clipd draws itself, for the demonstration and for benchmarks: a match on a pitch, with a running clock.

Every frame shows its own number, so that anybody can see that a cut is exact, and the sound beeps once a second.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

AUDIO_RATE = 48_000
SAMPLES_AT_ONCE = 1024
BEEP_HERTZ, BEEP_SECONDS = 880, 0.08
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_match(
    path: Path,
    *,
    seconds: int,
    width: int = 1280,
    height: int = 720,
    rate: int = 25,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> int:
    """Write a drawn match to `path` (its suffix chooses the container); how many frames it has.

    Args:
        path: where to write.
        seconds: its length.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        rate: frames per second.
        progress: called with (frames drawn, frames in all).
    """
    total = seconds * rate
    pitch = _pitch(width, height)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.thread_count = 0
        audio = container.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        sounded = 0
        for number in range(total):
            frame = av.VideoFrame.from_ndarray(_picture(pitch, number, rate), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(video.encode(frame))
            while sounded < (number + 1) * AUDIO_RATE // rate:
                container.mux(audio.encode(_sound(sounded)))
                sounded += SAMPLES_AT_ONCE
            progress(number + 1, total)
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return total


def ball_at(number: int, rate: int, width: int, height: int) -> tuple[int, int]:
    """Where the ball is on frame `number`, in pixels."""
    t = number / rate
    x = width * (0.5 + 0.4 * np.sin(0.7 * t))
    y = height * (0.55 + 0.25 * np.sin(1.1 * t + 1.0))
    return round(float(x)), round(float(y))


def _pitch(width: int, height: int) -> Image:
    stripes = (np.arange(width) // max(1, width // 12)) % 2
    row = np.where(stripes[:, None] == 0, (58, 128, 52), (66, 140, 58)).astype(np.uint8)
    image = np.repeat(row[None], height, axis=0)
    line = max(2, height // 240)
    cv2.rectangle(image, (width // 20, height // 10), (width * 19 // 20, height * 19 // 20), (235, 240, 235), line)
    cv2.line(image, (width // 2, height // 10), (width // 2, height * 19 // 20), (235, 240, 235), line)
    cv2.circle(image, (width // 2, height * 21 // 40), height // 7, (235, 240, 235), line)
    return image


def _picture(pitch: Image, number: int, rate: int) -> Image:
    image = pitch.copy()
    height, width = image.shape[:2]
    for player in range(10):
        x = width * (0.5 + 0.42 * np.sin(0.31 * number / rate * (1 + player % 3) + player * 1.7))
        y = height * (0.52 + 0.36 * np.cos(0.23 * number / rate * (1 + player % 4) + player * 2.3))
        colour = (60, 60, 220) if player % 2 else (220, 140, 40)
        cv2.circle(image, (round(float(x)), round(float(y))), height // 40, colour, -1, cv2.LINE_AA)
    cv2.circle(image, ball_at(number, rate, width, height), height // 60, (255, 255, 255), -1, cv2.LINE_AA)
    minutes, seconds = divmod(number // rate, 60)
    words = f"{minutes:02d}:{seconds:02d}  frame {number}"
    scale = height / 720
    cv2.putText(image, words, (round(40 * scale), round(56 * scale)), FONT, 1.4 * scale, (20, 20, 20), 7, cv2.LINE_AA)
    cv2.putText(
        image, words, (round(40 * scale), round(56 * scale)), FONT, 1.4 * scale, (255, 255, 255), 2, cv2.LINE_AA
    )
    return image


def _sound(first: int) -> av.AudioFrame:
    at = np.arange(first, first + SAMPLES_AT_ONCE)
    beep = np.where(
        at % AUDIO_RATE < BEEP_SECONDS * AUDIO_RATE, 0.4 * np.sin(2 * np.pi * BEEP_HERTZ * at / AUDIO_RATE), 0
    )
    frame = av.AudioFrame.from_ndarray(beep.astype(np.float32)[None], format="fltp", layout="mono")
    frame.pts, frame.sample_rate, frame.time_base = first, AUDIO_RATE, Fraction(1, AUDIO_RATE)
    return frame
