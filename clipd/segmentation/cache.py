"""What was measured of a video, kept in a local folder by its content and by the settings that measured it.

Another choice of numbers then needs no second decode. The cache only speeds things up: a file of it that is missing,
damaged or of another version is measured anew.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipd.errors import ClipdError
from clipd.files import atomic
from clipd.files.identity import identify
from clipd.media.door import Limits
from clipd.segmentation.cut import Cut, Stretch
from clipd.segmentation.features import Features
from clipd.segmentation.survey import Settings, survey

VERSION: Final = 3
"""Grows whenever something is measured differently."""
LIMIT_BYTES: Final = 256 << 20

_ARRAYS: Final = (
    *("frame_times", "times", "loudness", "motion", "loudness_z", "motion_z"),
    *("pictures", "strip_times", "strip"),
)

Checkpoint = Callable[[str, int, int], None]


def features_of(
    path: Path, settings: Settings, limits: Limits, cache: Path | None, checkpoint: Checkpoint, *, threads: int = 0
) -> Features:
    """What `survey` measures of the file at `path`, from the local folder `cache` if it was measured before.

    Raises what `survey` raises. A cache that cannot be read or written is no error.
    """
    if cache is None:
        return survey(path, settings, limits, checkpoint, threads=threads)
    identity = identify(path, cache, checkpoint)
    kept = cache / "features" / _name(identity.sha256, settings, limits)
    features = _read(kept)
    if features is None:
        features = survey(path, settings, limits, checkpoint, threads=threads)
        # What was measured is kept under the content that was hashed only if it is the same still.
        if identify(path, cache, checkpoint) == identity:
            _store(kept, features)
    return features


def _name(sha256: str, settings: Settings, limits: Limits) -> str:
    made_by = json.dumps([VERSION, settings.model_dump(mode="json"), limits.model_dump(mode="json")], sort_keys=True)
    return f"{sha256}.{hashlib.sha256(made_by.encode()).hexdigest()[:16]}.npz"


def _read(kept: Path) -> Features | None:
    try:
        data = atomic.read_regular(kept, LIMIT_BYTES)[0]
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            said: dict[str, Any] = json.loads(str(stored["said"]))
            arrays: dict[str, Any] = {name: stored.get(name) for name in _ARRAYS}
        return Features(
            duration_seconds=said["duration_seconds"],
            step_seconds=said["step_seconds"],
            cuts=tuple(Cut(**cut) for cut in said["cuts"]),
            black=tuple(Stretch(**one) for one in said["black"]),
            freezes=tuple(Stretch(**one) for one in said["freezes"]),
            warnings=tuple(said["warnings"]),
            **arrays,
        )
    except (ClipdError, OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def _store(kept: Path, features: Features) -> None:
    said = {
        "duration_seconds": features.duration_seconds,
        "step_seconds": features.step_seconds,
        "cuts": [asdict(cut) for cut in features.cuts],
        "black": [asdict(one) for one in features.black],
        "freezes": [asdict(one) for one in features.freezes],
        "warnings": list(features.warnings),
    }
    arrays = {name: value for name in _ARRAYS if (value := getattr(features, name)) is not None}
    made = io.BytesIO()
    np.savez_compressed(made, said=np.array(json.dumps(said)), **arrays)
    with suppress(ClipdError, OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(kept, made.getvalue(), durable=False)
