"""FFmpeg's own filters, as the truth to compare with."""

from __future__ import annotations

from pathlib import Path

import av
import av.filter
import numpy as np
from numpy.typing import NDArray


def found_by(filter_and_arguments: str, path: Path) -> NDArray[np.bool_]:
    """(N,) which frames of the file lie in a stretch that `blackdetect` or `freezedetect` reports, at full size."""
    name, _, arguments = filter_and_arguments.partition("=")
    word = {"blackdetect": "black", "freezedetect": "freezedetect.freeze"}[name]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        chain = [graph.add_buffer(template=stream), graph.add(name, arguments), graph.add("buffersink")]
        graph.link_nodes(*chain).configure()
        times: list[float] = []
        starts: list[float] = []
        ends: list[float] = []

        def drain() -> None:
            while True:
                try:
                    frame = graph.vpull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    return
                said = {key: float(value) for key, value in frame.metadata.items() if key != "lavfi"}
                starts.extend(value for key, value in said.items() if key == f"lavfi.{word}_start")
                ends.extend(value for key, value in said.items() if key == f"lavfi.{word}_end")

        for frame in container.decode(stream):
            times.append(float(frame.time or 0))
            graph.vpush(frame)
            drain()
        graph.vpush(None)
        drain()
    ends.extend([np.inf] * (len(starts) - len(ends)))
    inside = np.zeros(len(times), bool)
    for start, end in zip(starts, ends, strict=True):
        inside |= (np.array(times) >= start - 1e-6) & (np.array(times) < end - 1e-6)
    return inside
