"""Origins: where a wish for work stands, and where its answer goes. A visible table, one file for each kind of job."""

from __future__ import annotations

from clipd.delivery.origins.dataset import DatasetOrigin, ResultsOrigin, RowsOrigin
from clipd.delivery.origins.inbox import InboxOrigin
from clipd.delivery.origins.link import LinkOrigin
from clipd.delivery.origins.sidecar import SidecarOrigin
from clipd.delivery.origins.video import VideoOrigin
from clipd.delivery.origins.wish import Answer, Occasion, Origin, Wish
from clipd.jobs import event, request, request_kind

ORIGINS: dict[str, Origin] = {
    "clip": SidecarOrigin(),
    "compound": SidecarOrigin(),
    "dataset": DatasetOrigin(),
    "rows": RowsOrigin(),
    "results": ResultsOrigin(),
    "event": InboxOrigin(
        "events",
        "event_id",
        event.understood,
        event.question,
        ("camera_id", "video_path"),
        ("start_time", "end_time"),
        folder_request=event.FOLDER_REQUEST,
    ),
    "link": LinkOrigin(),
    "segment": VideoOrigin(),
    "request": InboxOrigin(
        "requests",
        "clip_id",
        request.understand,
        request.question,
        ("camera_id",),
        tuple(request_kind.ANSWERED),
        still_means=request.still_means,
    ),
}
"""Job kind -> how its wish is read and answered."""

__all__ = ["ORIGINS", "Answer", "Occasion", "Origin", "Wish"]
