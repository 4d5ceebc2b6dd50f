"""Which libraries do the work, for the truth sheet."""

from __future__ import annotations

import av


def library_versions() -> dict[str, str]:
    """PyAV and the FFmpeg libraries that it brings, each with its version."""
    return {"av": av.__version__} | {
        name: ".".join(str(part) for part in version) for name, version in sorted(av.library_versions.items())
    }
