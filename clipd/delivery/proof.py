"""Receipts as proof: has this very work been published already, so that only the answer is missing?

A wish for work that a receipt covers is one of three things: the trace of a crash between publication and answer, an
old copy of the sidecar that came back (by rsync, a backup, or an editor that had loaded it before the answer), or a
person who asks again on purpose. Only the last one is a reason to run.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clipd.delivery.origins import Wish
from clipd.delivery.publish import intact
from clipd.errors import ClaimLost, Rejected
from clipd.files.atomic import Missing
from clipd.tree import record as records
from clipd.tree.layout import Layout
from clipd.tree.record import Receipt, Record

CROSSING_SECONDS = 2.0
"""A save that lands this soon after our answer, and lacks it, was begun before the answer could be read."""


def standing_proof(
    layout: Layout, receipts: tuple[Receipt, ...], revision: str, wish: Wish, record: Record
) -> Receipt | None:
    """The receipt that makes work needless: the newest one, of this revision, outputs intact, not asked for anew."""
    newest = receipts[-1] if receipts else None
    if newest is None or newest.revision != revision or not intact(layout, newest):
        return None
    return None if _is_asked_again(layout, newest, wish, record) else newest


def lasting_proof(layout: Layout, receipts: tuple[Receipt, ...], wish: Wish) -> Receipt | None:
    """The receipt of a wish that is never granted twice: the newest one, outputs intact.

    Raises:
        Rejected: that receipt is the answer to another question.
    """
    newest = receipts[-1] if receipts else None
    if wish.repeats != "never" or newest is None or not intact(layout, newest):
        return None
    if newest.asked and not (newest.asked == wish.asks() and wish.means(newest.facts)):
        raise Rejected(
            f"{newest.key.removeprefix('id:')} is already {', '.join(newest.results)}, and that was another question; "
            'ask under another id, or with "force": true to make it anew'
        )
    return newest


def _is_asked_again(layout: Layout, receipt: Receipt, wish: Wish, record: Record) -> bool:
    if wish.answered == receipt.answered:
        return False  # exactly as it was claimed: the answer was never written, or is lost with an old copy
    if wish.repeats == "always":
        return True
    if wish.outputs == receipt.results:
        return True  # the answer was read before it was asked
    told = record.written_back == receipt.id
    return told and wish.saved_at - records.recorded_at(layout, record.job) > CROSSING_SECONDS


def commit(layout: Layout, receipt: Receipt, ticket: Path) -> Receipt:
    """Make the ticket of this attempt the receipt.

    While it has its ticket nobody has taken the job over, so that the files on disk are ours, also where somebody
    committed that very run meanwhile.

    Raises:
        ClaimLost: the ticket is gone, because another worker took the job.
    """
    try:
        while not records.commit(layout, receipt, ticket):
            receipt = replace(receipt, run=receipt.run + 1, number=receipt.number + 1)
    except Missing as error:
        raise ClaimLost(f"{receipt.name} was taken over by another worker before its receipt was written") from error
    return receipt
