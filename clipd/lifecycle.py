"""The life of one job, from its claim to its close: `process` is what clipd does.

It runs inside a worker process, the same on this machine and on a cluster; a worker that dies takes its claim with it.
State lives on disk, so the process may be killed at any line: whoever claims the job next finds out how far it got and
goes on from there. Work runs at least once; a revision is published exactly once, and the receipt, written if absent,
is the moment at which it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from loguru import logger

from clipd.clock import Clock, stamp
from clipd.delivery import carrier
from clipd.delivery.annotate import Circumstances, annotate
from clipd.delivery.destinations import Destination
from clipd.delivery.origins import ORIGINS, Answer, Occasion, Wish
from clipd.delivery.proof import commit, lasting_proof, standing_proof
from clipd.delivery.publish import make_way, publish, withdraw
from clipd.delivery.staging import staging, sweep
from clipd.delivery.watchman import Watchman
from clipd.delivery.writeback import WriteBack
from clipd.errors import ClaimLost, ClipdError, Deferred, MediaError, Rejected, Superseded, Temporary
from clipd.files import arrival, lease, space
from clipd.files.atomic import as_clipd_error
from clipd.files.identity import Identity, identify
from clipd.files.walk import look
from clipd.jobs import KINDS
from clipd.jobs.context import Context
from clipd.jobs.kind import Prepared, Result
from clipd.media.door import Limits
from clipd.media.probe import NotReady
from clipd.model.clip import Status
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.model.setting import Section
from clipd.tree import awaited
from clipd.tree import record as records
from clipd.tree.layout import Layout
from clipd.tree.marker import require_root
from clipd.tree.record import Receipt, Record
from clipd.worker import attempts, retry


@dataclass(frozen=True)
class Workplace:
    """Everything a worker needs to know besides the job; made by the daemon, sent to its workers."""

    layout: Layout
    host: str
    daemon: str
    """The id of the daemon that hands out the work, new at each start: tells a dead worker from a dead daemon."""
    cache: Path | None
    threads: int
    claims: lease.Settings
    retry: retry.Settings
    space: space.Settings
    arrival: arrival.Settings
    limits: Limits
    kinds: Mapping[str, Section]
    annotations: tuple[str, ...]
    failed_status: str
    destinations: tuple[Destination, ...]
    share_offset: float
    """The share's clock minus this machine's, in seconds."""
    clock: Clock


def process(
    job: Job, place: Workplace, last_words: str = "", patience_seconds: float = 0.3, forgiven: bool = False
) -> Outcome:
    """Claim `job`, read it again, run it, verify, annotate, publish, write back, close.

    Errors of clip, share and system do not leave this function, they become outcomes; being stopped does.

    Args:
        job: the work; its wish is read again under the claim.
        place: where and how to work.
        last_words: what the daemon saw of the former attempt's end, if its worker died.
        patience_seconds: how long to wait for a claim that somebody holds; more than a lease time proves a holder dead.
        forgiven: the daemon stopped the former attempt on purpose, so that it does not count however it ended.
    """
    with logger.contextualize(job=job.id):
        try:
            require_root(place.layout)
            with lease.claimed(place.layout.claim(job.id), place.claims, wait_seconds=patience_seconds) as claim:
                outcome = _under_claim(job, place, claim, last_words, forgiven)
        except lease.Taken as holder:
            outcome = Outcome(Verdict.BUSY, f"worked on by {holder}", again_in_seconds=place.claims.lease_seconds / 3)
        except ClaimLost as error:
            outcome = Outcome(Verdict.BUSY, str(error), again_in_seconds=place.claims.lease_seconds)
        except ClipdError as error:
            outcome = _deferred(error, place)
        except OSError as error:
            outcome = _deferred(as_clipd_error(error, job.origin), place)
        logger.log(_level(outcome), "{}: {}{}", outcome.verdict, job.name, _after_colon(outcome.message))
        return outcome


def _under_claim(job: Job, place: Workplace, claim: lease.Claim, last_words: str, forgiven: bool) -> Outcome:
    wish = ORIGINS[job.kind].read(place.layout, job)
    if wish is None or not wish.due:
        return Outcome(Verdict.NOT_DUE, "nobody asks for it any more")
    sweep(place.layout, job.id)
    former = records.read_record(place.layout, job.id)
    record = attempts.reckon(former, job, wish.stand, place.daemon, last_words, forgiven)
    logger.log("DEBUG" if attempts.waited(former, record) else "INFO", "claimed: {}", job.name)
    # One that was published and died before it was answered gets another attempt, which finds the receipt.
    spare = 1 if _is_unanswered(job, place, record) else 0
    if record.state == "failed" or attempts.hopeless(record, place.retry, spare):
        return _fail(job, place, wish, record, record.last_error)
    if (wait := attempts.too_soon(record, place.clock.now(), place.retry)) > 0:
        return Outcome(Verdict.RETRY, record.last_error, again_in_seconds=wait)
    record = attempts.begin(place.layout, record, place.daemon, place.host, place.clock.now())
    try:
        receipt = _deliver(job, place, claim, wish, record, last_words)
    except Exception as error:  # noqa: BLE001 - the one broad catch: whatever went wrong is sorted and told
        return _after(error, job, place, wish, record)
    except BaseException:
        attempts.end(place.layout, record, place.clock.now())  # stopped on purpose: counts no attempt
        raise
    finally:
        records.clear_progress(place.layout, job.id)
    return _complete(job, place, wish, record, receipt)


def _is_unanswered(job: Job, place: Workplace, record: Record) -> bool:
    """Is there a receipt that nobody was told of?"""
    receipts = records.read_receipts(place.layout, job.id)
    return bool(receipts) and receipts[-1].id != record.written_back


def _deliver(job: Job, place: Workplace, claim: lease.Claim, wish: Wish, record: Record, last_words: str) -> Receipt:
    """Find out what decides the outputs; make and publish them, unless a receipt proves that this has been done."""
    watchman = Watchman(job, place.layout, place.host, claim, ORIGINS[job.kind], place.clock)
    receipts = records.read_receipts(place.layout, job.id)
    if (proof := lasting_proof(place.layout, receipts, wish)) is not None:
        logger.info("done before: answered from its receipt")
        return proof
    prepared = KINDS[job.kind].prepare(place.layout, job, wish.request(), place.kinds[job.kind])
    wish.agree()
    ORIGINS[job.kind].tell(place.layout, job, "processing", "", place.clock.now())
    watchman.guard(lambda now: _decides(job, place, now) == prepared.decides)
    for path in () if prepared.is_settled else prepared.sources:
        arrival.require_settled(path, place.share_offset, place.arrival)
    sources = tuple(identify(path, place.cache, watchman.checkpoint) for path in prepared.sources)
    revision = _revision(job, prepared, sources)
    if (proof := standing_proof(place.layout, receipts, revision, wish, record)) is not None:
        logger.info("already published: only the answer is written")
        return proof

    started = place.clock.now()
    with staging(place.layout, job.id, claim.token) as folder:
        result = _run(job, place, prepared, sources, folder, watchman, last_words)
        logger.info("verified: {}", ", ".join(artifact.name for artifact in result.artifacts))
        watchman.check()
        aside = make_way(place.layout, job.id, result.artifacts, place.clock.now())
        result = replace(result, warnings=(*result.warnings, *aside))
        run = 1 + max((receipt.run for receipt in receipts if receipt.revision == revision), default=0)
        facts = Circumstances(job, revision, run, place.host, started, place.clock.now(), sources, place.destinations)
        sheets = annotate(folder, prepared, result, facts, place.annotations)
        watchman.check()
        with records.ticket_for(place.layout, job.id, claim.token) as ticket:
            outputs, kept = publish(place.layout, job.id, folder, (*result.artifacts, *sheets), place.clock.now())
            receipt = commit(place.layout, Receipt(
                job.id, revision, run, job.name, job.origin, job.key, wish.answered, outputs, place.host,
                stamp(started), stamp(place.clock.now()), (*prepared.notes, *result.warnings, *kept),
                number=1 + max((receipt.number for receipt in receipts), default=0),
                facts=dict(result.facts), kind=job.kind, camera=job.camera, asked=wish.asks(),
            ), ticket)  # fmt: skip
    logger.info("published: {}", ", ".join(receipt.results))
    if outputs and (gone := withdraw(place.layout, receipts, outputs)):
        logger.info("withdrawn, as they no longer apply: {}", ", ".join(gone))
    return receipt


def _run(
    job: Job,
    place: Workplace,
    prepared: Prepared,
    sources: tuple[Identity, ...],
    folder: Path,
    watchman: Watchman,
    last_words: str,
) -> Result:
    """Run the kind's own work, which verifies what it makes; its sources must be whole and stay what they are."""
    kind, settings = KINDS[job.kind], place.kinds[job.kind]
    context = Context(
        staging=folder,
        source=prepared.source,
        source_name=prepared.source_name,
        cache=place.cache,
        threads=place.threads,
        limits=place.limits,
        checkpoint=watchman.checkpoint,
        last_words=last_words,
    )
    try:
        needed = kind.needed_bytes(prepared, settings, place.limits, place.cache)
        space.require(place.layout.outputs, needed, place.space)
        result = kind.run(prepared, settings, context)
    except MediaError as error:
        _require_unchanged(prepared, sources, place.layout)
        still = min(arrival.still_seconds(path, place.share_offset) for path in prepared.sources)
        if isinstance(error, NotReady) and still < place.retry.source_patience_seconds:
            raise Deferred(f"{error}; it may still be arriving") from error
        raise
    except Rejected:
        _require_unchanged(prepared, sources, place.layout)
        raise
    _require_unchanged(prepared, sources, place.layout)
    return result


def _require_unchanged(prepared: Prepared, sources: tuple[Identity, ...], layout: Layout) -> None:
    for path, source in zip(prepared.sources, sources, strict=True):
        seen = look(path)
        if seen is None or not seen.has_content_of(source.look):
            raise arrival.Arriving(f"{layout.relative(path)} changed while it was being read", 1.0)


def _complete(job: Job, place: Workplace, wish: Wish, record: Record, receipt: Receipt) -> Outcome:
    """Ask for copies, write the outputs into the clip, then close. What is published is never called failed."""
    try:
        if asked := carrier.post(place.layout, receipt, place.destinations, job.camera, place.clock.now()):
            logger.info("to be copied to: {}", ", ".join(asked))
        written = _answer(job, place, wish, Answer(receipt.results, status=Status.COMPLETE, facts=receipt.facts))
    except Temporary as error:
        attempts.end(place.layout, record, place.clock.now(), last_error=str(error))
        words = f"finished, but the answer cannot be written yet: {error}"
        known = attempts.is_same_reason(record.last_error, str(error))
        wait = place.retry.deferred_wait_seconds
        return Outcome(Verdict.DEFERRED, words, receipt.results, wait, receipt.warnings, known)
    if written.result == "superseded":
        attempts.end(place.layout, record, place.clock.now())
        return Outcome(Verdict.SUPERSEDED, "the clip was changed meanwhile; it runs again if it asks to")
    attempts.end(
        place.layout, record, place.clock.now(), state="complete", written_back=receipt.id, last_error=""
    )  # fmt: skip
    words = written.message if written.result in ("conflict", "gone") else ""
    known = record.written_back == receipt.id
    status = str(receipt.facts.get("status", ""))
    return Outcome(Verdict.COMPLETE, words, receipt.results, warnings=receipt.warnings, known=known, status=status)


def _fail(job: Job, place: Workplace, wish: Wish, record: Record, words: str) -> Outcome:
    """Remember the failure, write it into the clip, then close."""
    now = place.clock.now()
    record = attempts.end(place.layout, record, now, state="failed", last_error=words, failure_told=False)
    written = _answer(job, place, wish, Answer(error=words, status=place.failed_status))
    if written.result == "superseded":
        attempts.end(place.layout, record, now, state="waiting")
        return Outcome(Verdict.SUPERSEDED, f"it failed ({words}), but the clip was changed meanwhile")
    attempts.end(place.layout, record, now, failure_told=True)
    return Outcome(Verdict.FAILED, words)


def _answer(job: Job, place: Workplace, wish: Wish, answer: Answer) -> WriteBack:
    decided = cache(lambda: _decides(job, place, wish))
    at = Occasion(
        still=lambda now: now.due and _decides(job, place, now) == decided(),
        claims=place.claims,
        now=place.clock.now(),
        settle=place.clock.sleep,
    )
    return ORIGINS[job.kind].answer(place.layout, job, answer, at)


def _after(error: Exception, job: Job, place: Workplace, wish: Wish, record: Record) -> Outcome:
    """What becomes of a job whose attempt raised `error`: the answer to "try again?".

    Raises:
        Deferred: the share is away; nothing can be written down.
    """
    require_root(place.layout)
    words, rules, now = str(error) or type(error).__name__, place.retry, place.clock.now()
    match error:
        case ClaimLost():
            raise error
        case Superseded():
            attempts.end(place.layout, record, now)
            return Outcome(Verdict.SUPERSEDED, words)
        case Rejected():
            return replace(_fail(job, place, wish, record, words), error=type(error).__name__)
        case arrival.Arriving():
            attempts.end(place.layout, record, now, last_error=words)
            ORIGINS[job.kind].tell(place.layout, job, "waiting", words, now)
            verdict = Verdict.RETRY if error.settles else Verdict.DEFERRED
            known = attempts.is_same_reason(record.last_error, words)
            return Outcome(verdict, words, again_in_seconds=error.wait_seconds, known=known)
        case Deferred():
            attempts.end(place.layout, record, now, last_error=words)
            ORIGINS[job.kind].tell(place.layout, job, "waiting", words, now)
            return replace(_deferred(error, place), known=attempts.is_same_reason(record.last_error, words))
        case MediaError():
            limit = rules.media_attempts
        case MemoryError():
            words, limit = "it needs more memory than workers.memory allows", rules.media_attempts
        case ClipdError() | OSError():
            limit = rules.attempts
        case _:
            logger.opt(exception=error).error("an error that clipd did not foresee")
            words, limit = f"unexpected {type(error).__name__}: {words}", rules.attempts
    record, wait = attempts.failed(place.layout, record, now, words, rules)
    hopeless = record.failures >= limit
    outcome = (
        _fail(job, place, wish, record, words) if hopeless else Outcome(Verdict.RETRY, words, again_in_seconds=wait)
    )
    # What the libraries were left with must not decide the next attempt.
    return replace(outcome, error=type(error).__name__, worn=True)


def _decides(job: Job, place: Workplace, wish: Wish) -> object:
    """All that decides the outputs, to compare two readings of a wish; the error's words when it is no valid one."""
    try:
        return KINDS[job.kind].prepare(place.layout, job, wish.request(), place.kinds[job.kind]).decides
    except (Rejected, Deferred) as error:
        return str(error)


def _deferred(error: ClipdError, place: Workplace) -> Outcome:
    wait = error.wait_seconds if isinstance(error, Deferred) else None
    return Outcome(
        Verdict.DEFERRED,
        str(error),
        again_in_seconds=place.retry.deferred_wait_seconds if wait is None else wait,
        awaits=awaited.marks(place.layout, error) if isinstance(error, awaited.Awaiting) else (),
    )


def _revision(job: Job, prepared: Prepared, sources: tuple[Identity, ...]) -> str:
    """16 hex digits over what decides the output; clipd's own keys are not in it, so its writes never change it."""
    content = {"kind": job.kind, "sources": [source.sha256 for source in sources], "decides": prepared.decides}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _level(outcome: Outcome) -> str:
    """Whoever waits for one thing all day says so once."""
    return "DEBUG" if outcome.verdict is Verdict.DEFERRED and outcome.known else _LEVELS[outcome.verdict]


def _after_colon(words: str) -> str:
    return f": {words}" if words else ""


_LEVELS = {
    Verdict.COMPLETE: "SUCCESS",
    Verdict.FAILED: "ERROR",
    Verdict.RETRY: "WARNING",
    Verdict.DEFERRED: "WARNING",
    Verdict.SUPERSEDED: "INFO",
    Verdict.BUSY: "DEBUG",
    Verdict.NOT_DUE: "DEBUG",
}
