"""Origins: where a wish for work stands, and where its answer goes. A visible table, one file for each kind of job."""

from __future__ import annotations

from clipd.delivery.origins import sidecar
from clipd.delivery.origins.wish import Answer, Origin, Wish

ORIGINS: dict[str, Origin] = {
    "clip": sidecar.SidecarOrigin(),
}
"""Job kind -> how its wish is read and answered."""

__all__ = ["ORIGINS", "Answer", "Origin", "Wish"]
