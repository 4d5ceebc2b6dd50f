"""How outputs are named: `<video>_<clip>`, made fit to be a file name."""

from __future__ import annotations

import hashlib
import re

LONGEST_BYTES = 180
"""Leaves room for suffixes and temporary names within the 255 bytes that a file name may have."""

_UNFIT = re.compile(r"[/\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def output_stem(video: str, clip: str) -> str:
    """The file name, without suffix, of a clip's outputs.

    Slashes, control and direction characters become `-`, and a leading dot too (it would mean: not there yet). A name
    that is too long is cut, and ends in a hash of the whole so that it stays its own.
    """
    return file_stem(f"{video}_{clip}")


def file_stem(whole: str) -> str:
    """`whole` as a file name without suffix; see `output_stem`."""
    fit = _UNFIT.sub("-", whole).strip()
    fit = "-" + fit[1:] if fit.startswith(".") else fit
    if len(fit.encode()) > LONGEST_BYTES:
        digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:10]
        fit = fit.encode()[: LONGEST_BYTES - 11].decode("utf-8", "ignore") + "-" + digest
    return fit


def names_of(job: str, video: str, clip: str, key: str) -> frozenset[str]:
    """All that people may call a clip: its job id, id, name, `<video> / <clip>`, and what its outputs are named by."""
    return frozenset(
        (job, key, key.partition(":")[2], clip, f"{video} / {clip}", f"{video}_{clip}", output_stem(video, clip))
    )
