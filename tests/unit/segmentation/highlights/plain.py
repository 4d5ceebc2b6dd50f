"""The highlight mode once more, read from its description number by number: loops over plain lists, and slow.

It shares no code with the product but the values that go in, so that a slip in either shows as a difference.
"""

from __future__ import annotations

from typing import Any

from clipd.segmentation.features import Features

Row = dict[str, Any]


def excitement(features: Features, product: bool = False) -> list[float]:
    sound = features.loudness is not None and max(features.loudness, default=0) > 0
    curve = []
    for loud, moving in zip(features.loudness_z, features.motion_z, strict=True):
        loud, moving = max(0.0, float(loud)), max(0.0, float(moving))
        if not sound:
            curve.append(moving)
        elif product:
            curve.append(loud * moving)
        else:
            curve.append(0.6 * loud + 0.4 * moving)
    return curve


def is_peak(values: list[float], i: int) -> bool:
    """Is the run of equal values around `i` above what lies to both sides (the edge has one side)?"""
    left = i
    while left > 0 and values[left - 1] == values[i]:
        left -= 1
    right = i
    while right < len(values) - 1 and values[right + 1] == values[i]:
        right += 1
    if left == 0 and right == len(values) - 1:
        return False
    return (left == 0 or values[left - 1] < values[i]) and (right == len(values) - 1 or values[right + 1] < values[i])


def anchors(features: Features, curve: list[float]) -> list[Row]:
    times = [float(t) for t in features.times]
    loud = [float(z) for z in features.loudness_z]
    moving = []
    for t, z in zip(times, features.motion_z, strict=True):
        near = 0
        for cut in features.cuts:
            if t - 5 <= cut.seconds <= t + 5:
                near += 1
        moving.append(float(z) * (1 + 0.5 * near / 10))
    found = []
    for order, (kind, values, above, weight) in enumerate(
        (("excitement", curve, 0.3, 1.0), ("loudness", loud, 1.5, 0.7), ("action", moving, 1.0, 0.6))
    ):
        for i, value in enumerate(values):
            if value > above and is_peak(values, i):
                found.append({"at": times[i], "score": weight * value, "kind": kind, "order": order})
    found.sort(key=lambda row: (-row["score"], row["at"], row["order"]))
    kept: list[Row] = []
    for row in found:
        if all(abs(row["at"] - other["at"]) >= 4 for other in kept):
            kept.append(row)
    limit = int(8 * features.duration_seconds / 60)
    if limit < 10:
        limit = 10
    return sorted(kept[:limit], key=lambda row: row["at"])


def boundaries(features: Features) -> list[Row]:
    times = [float(t) for t in features.times]

    def normal(events: list[tuple[float, float]]) -> list[tuple[float, float]]:
        most = max((strength for _, strength in events), default=0.0)
        return [(t, strength / most) for t, strength in events] if most > 0 else []

    def valleys(z: list[float]) -> list[tuple[float, float]]:
        upside_down = [-value for value in z]
        return normal([(times[i], -z[i]) for i in range(len(z)) if z[i] < 0 and is_peak(upside_down, i)])

    events = {
        "scene": normal([(cut.seconds, cut.score) for cut in features.cuts]),
        "dip": valleys([float(z) for z in features.loudness_z]),
        "fade": [(edge, 1.0) for black in features.black for edge in (black.start_seconds, black.end_seconds)]
        + [(cut.seconds, 1.0) for cut in features.cuts if cut.kind.startswith("fade")],
        "valley": valleys([float(z) for z in features.motion_z]),
    }
    decay = {"scene": 0.5, "dip": 0.3, "fade": 0.5, "valley": 0.3}
    weight = {"scene": 0.45, "dip": 0.25, "fade": 0.15, "valley": 0.15}
    rows = []
    for at in sorted({t for some in events.values() for t, _ in some if 0 <= t <= features.duration_seconds}):
        row: Row = {"at": at}
        for kind, some in events.items():
            row[kind] = 0.0
            for t, strength in some:
                row[kind] = max(row[kind], strength * (1 - abs(at - t) / decay[kind]))
        row["raw"] = sum(weight[kind] * row[kind] for kind in ("scene", "dip", "fade", "valley"))
        rows.append(row)
    for i, row in enumerate(rows):
        penalty = 0.0
        for j in [*range(i - 1, -1, -1), *range(i + 1, len(rows))]:
            other = rows[j]
            if abs(other["at"] - row["at"]) < 1.5 and other["raw"] > row["raw"]:
                penalty = max(penalty, 0.3 * (1 - abs(other["at"] - row["at"]) / 1.5))
        row["score"] = row["raw"] - penalty
    return [row for row in rows if row["score"] >= 0.1]


def integral(features: Features, curve: list[float], end: float) -> float:
    return sum(v for t, v in zip(features.times, curve, strict=True) if end - 3 <= t < end) * features.step_seconds


def windows(features: Features, curve: list[float], moments: list[Row], places: list[Row]) -> list[Row]:
    length = features.duration_seconds
    shortest = min(5.0, length)
    rows = []
    for anchor in moments:
        a = anchor["at"]
        start, opening = None, None
        for place in places:
            fits = a - 14 <= place["at"] <= a - 2 and place["at"] <= length - shortest
            if fits and (opening is None or place["score"] >= opening["score"]):
                start, opening = place["at"], place
        if start is None:
            start = max(0.0, min(a - 8, length - shortest))
        end, closing, best = None, None, 0.0
        for place in places:
            if not (a + 2 <= place["at"] <= a + 28 and start + shortest <= place["at"] <= start + 60):
                continue
            score = place["score"] + min(0.2, 0.1 * integral(features, curve, place["at"]))
            if closing is None or score > best + 1e-12:
                end, closing, best = place["at"], place, score
        if end is None:
            end = min(max(a + 12, start + shortest), start + 60, length)
        inside = [v for t, v in zip(features.times, curve, strict=True) if start <= t < end]
        mean = sum(inside) / len(inside) if inside else 0.0
        dead = sum(v < 0.1 for v in inside) / len(inside) if inside else 1.0
        edge = min(a - start, end - a) / (end - start)
        narrative = 1.0 if edge >= 0.2 else max(0.0, edge / 0.2)
        ends = ((opening["score"] if opening else 0) + (closing["score"] if closing else 0)) / 2
        quality = (0.4 * mean + 0.2 * ends + 0.2 * narrative - 0.2 * dead) * (0.5 + 0.5 * min(1, anchor["score"]))
        low = sum(v < 0.15 for v in inside) / len(inside) if inside else 1.0
        rows.append({"start": start, "end": end, "anchor": anchor, "quality": quality, "mean": mean, "low": low})
    return rows


def left(rows: list[Row], target: int = 200) -> list[int]:
    """The numbers of the windows that overlap, boring and target leave, in order."""
    ranked = sorted(range(len(rows)), key=lambda i: (-rows[i]["quality"], rows[i]["start"], i))
    stays: list[int] = []
    for i in ranked:
        for j in stays:
            shared = min(rows[i]["end"], rows[j]["end"]) - max(rows[i]["start"], rows[j]["start"])
            union = max(rows[i]["end"], rows[j]["end"]) - min(rows[i]["start"], rows[j]["start"])
            if shared > 0 and shared / union > 0.35:
                break
        else:
            stays.append(i)
    lively = [
        i for i in stays if not (rows[i]["mean"] < 0.15 and rows[i]["low"] > 0.7 and rows[i]["anchor"]["score"] < 0.5)
    ]
    return sorted(lively[:target])
