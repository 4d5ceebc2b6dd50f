"""Is what clipd is built on there, new enough, and does it really work?"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
import zoneinfo
from collections.abc import Iterator

from clipd import __version__
from clipd.media import trial
from clipd.media.versions import library_versions
from clipd.report.doctor.finding import Finding, Level, Patient

NEEDS = re.compile(r"(?P<name>[\w.-]+)(?:\[[^]]*\])?>=(?P<least>[\d.]+)")
"""A requirement as pyproject.toml writes it; those of extras have a marker behind and do not match."""
FORMAT_OF = {"libx264": "h264", "aac": "h264", "ffv1": "ffv1", "flac": "ffv1"}
REINSTALL = "install clipd and what it needs again, into a fresh environment: pip install --force-reinstall clipd"
HARDWARE_MENDS = {
    "nvenc": "needs an NVIDIA card and its driver (libcuda, libnvidia-encode); in a container also "
    "--gpus all and NVIDIA_DRIVER_CAPABILITIES=video,compute",
    "qsv": "needs an Intel GPU, /dev/dri/renderD128 (group render) and Intel's libvpl runtime",
    "vaapi": "needs /dev/dri/renderD128 (group render) and the GPU's VA-API driver",
    "amf": "needs an AMD card and the AMF runtime of its driver package",
    "v4l2m2m": "exists on boards whose chip has an encoder (/dev/video*, group video)",
}


def versions(_: Patient) -> Iterator[Finding]:
    """Python, clipd, its libraries, and the FFmpeg that they bring."""
    here = f"Python {platform.python_version()} in {sys.prefix}, {platform.system()} {platform.release()}"
    yield Finding(Level.OK, "clipd", f"{__version__}, {here}")
    try:
        needs = importlib.metadata.requires("clipd") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(Level.NOTE, "clipd", "it is not installed as a package; its needs cannot be compared", REINSTALL)
        needs = []
    good = []
    for match in filter(None, (NEEDS.fullmatch(need) for need in needs)):
        name, least = match["name"], match["least"]
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(Level.WRONG, name, f"it is missing; {least} or newer is needed", REINSTALL)
            continue
        if _numbers(found) < _numbers(least):
            yield Finding(Level.WRONG, name, f"{found} is older than {least}, which clipd needs", REINSTALL)
        else:
            good.append(f"{name} {found}")
    if good:
        yield Finding(Level.OK, "libraries", ", ".join(good))
    ffmpeg = (f"{name} {version}" for name, version in library_versions().items() if name.startswith("lib"))
    yield Finding(Level.OK, "FFmpeg", ", ".join(ffmpeg))


def codecs(patient: Patient) -> Iterator[Finding]:
    """Every encoder in use: some pictures or samples really go in and come back."""
    good = []
    for tried in trial.software():
        if tried.works:
            good.append(tried.encoder)
            continue
        format = FORMAT_OF.get(tried.encoder)
        used = patient.clips.thumbnail.enabled if format is None else format in patient.clips.formats
        level = Level.WRONG if used else Level.WARNING
        yield Finding(level, tried.encoder, f"it does not work here: {tried.trouble}", REINSTALL)
    if good:
        yield Finding(Level.OK, ", ".join(good), "encode and decode here, tried just now")


def hardware(_: Patient) -> Iterator[Finding]:
    """Every hardware encoder that the build names."""
    tried = trial.hardware()
    if works := [one.encoder for one in tried if one.works]:
        yield Finding(Level.OK, ", ".join(works), "work here, tried just now")
    troubles: dict[tuple[str, str], list[str]] = {}
    for one in tried:
        if not one.works:
            troubles.setdefault((one.encoder.rpartition("_")[2], one.trouble), []).append(one.encoder)
    for (kind, trouble), encoders in troubles.items():
        yield Finding(Level.NOTE, ", ".join(encoders), f"not here: {trouble}", HARDWARE_MENDS.get(kind, ""))
    if not works:
        yield Finding(Level.OK, "hardware encoders", "clipd encodes on the processor and needs none")


def time_zones(patient: Patient) -> Iterator[Finding]:
    """The data that schedules and requests with local times need."""
    count = len(zoneinfo.available_timezones())
    if count < 2:
        words = "there is no time zone data: schedules and times in requests know UTC only"
        yield Finding(Level.WARNING, "tzdata", words, "apt install tzdata, or: pip install tzdata")
    else:
        zone = patient.schedule.time_zone or "this machine's own"
        yield Finding(Level.OK, "tzdata", f"{count} zones are known; hours of work are those of: {zone}")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:4])
