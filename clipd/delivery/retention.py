"""Retention: outputs that are too old, or more than there is room for, go; the oldest first.

Only a file that a receipt lists and whose size still matches is ever removed, by a path below the outputs tree on which
no link is followed, under the claim of its job, and never while that job is open. The clip in its sidecar stays as it
is; a note in the state folder says what went, when and why. A killed removal is finished by the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Literal

from pydantic import ByteSize, model_validator

from clipd.clock import Clock, stamp
from clipd.delivery.origins import ORIGINS
from clipd.delivery.publish import owner
from clipd.errors import ClipdError, Deferred
from clipd.files import lease
from clipd.files.beneath import remove_beneath, size_beneath
from clipd.model.job import Job
from clipd.model.setting import Section, setting
from clipd.tree import outbox
from clipd.tree import record as records
from clipd.tree.layout import UNNAMED, Layout
from clipd.tree.marker import require_root
from clipd.tree.record import Output, Receipt
from clipd.tree.removal import Removal, note_removal, read_removal

DAY_SECONDS = 86_400


class Rule(Section):
    """Which outputs go; those of all formats and cameras where none are named."""

    formats: tuple[str, ...] = setting((), "Only outputs of these formats; empty is all.")
    cameras: tuple[str, ...] = setting((), "Only outputs of these cameras; empty is all.")
    older_than_days: float | None = setting(
        None, "Outputs go when they were published so long ago.", unit="days", ge=0, le=36_500
    )
    larger_than: ByteSize | None = setting(
        None, "What the rule covers may take so much room together; beyond it the oldest go.", unit="bytes", ge=0
    )

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if self.older_than_days is None and self.larger_than is None:
            raise ValueError("a rule needs older_than_days or larger_than, or both")
        return self


class Settings(Section):
    """When outputs are removed again. Sources never are."""

    dry_run: bool = setting(
        True, "true: nothing is removed by itself, `clipd retention` shows the plan; false: removed every hour."
    )
    rules: tuple[Rule, ...] = setting(
        (), "Such as {formats: [ffv1], cameras: [cam1], older_than_days: 30} or {larger_than: 500GiB}; empty is never."
    )


@dataclass(frozen=True)
class Product:
    """One published video and what belongs to it."""

    receipt: Receipt
    video: Output
    companions: tuple[Output, ...]
    """Truth sheets and thumbnail; only what still stands."""
    format: str
    camera: str
    published_at: datetime
    standing: bool = True
    """Does the video still stand? If not, a removal was cut short and is to be finished."""

    @property
    def files(self) -> tuple[Output, ...]:
        """All files, the video first: whose a file is, its sheet says, which therefore goes last."""
        return ((self.video,) if self.standing else ()) + self.companions

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(output.size for output in self.files)


@dataclass(frozen=True)
class Step:
    """A product that is to go, and the rule's words why."""

    product: Product
    why: str


@dataclass(frozen=True)
class Done:
    """What became of a step."""

    step: Step
    result: Literal["removed", "kept"]
    words: str = ""
    """Why it was kept."""


def plan(
    layout: Layout, rules: Iterable[Rule], now: datetime, left_alone: Callable[[str], None] = lambda _: None
) -> Iterator[Step | None]:
    """What `rules` would remove at `now`, oldest first; None in between, so that the caller can do other things.

    `left_alone` is told of outputs that are not looked at, because a link is on the way or their receipt is wrong.

    Raises:
        Deferred: the tree is not there.
        ClipdError: it cannot be read.
    """
    rules = tuple(rules)
    products: list[Product] = []
    for found in _products(layout, left_alone) if rules else ():
        products.extend(found)
        yield None
    products.sort(key=lambda product: (product.published_at, product.video.path))
    gone: dict[str, Step] = {}
    for rule in rules:
        covered = [product for product in products if _covers(rule, product)]
        for step in (*_old(rule, covered, now), *_beyond(rule, [p for p in covered if p.video.path not in gone])):
            gone.setdefault(step.product.video.path, step)
    for product in products:
        if not product.standing:
            gone.setdefault(product.video.path, Step(product, "its removal was cut short"))
    yield from sorted(gone.values(), key=lambda step: step.product.published_at)


def remove(layout: Layout, step: Step, claims: lease.Settings, clock: Clock) -> Done:
    """Remove a product, unless its job is open or it is another one by now.

    Raises:
        ClipdError: the filesystem refuses.
    """
    receipt = step.product.receipt
    require_root(layout)
    if lease.seems_held(layout.claim(receipt.job)):
        return Done(step, "kept", "its clip is being worked on")
    try:
        with lease.claimed(layout.claim(receipt.job), claims) as claim:
            if (words := _what_keeps(layout, step.product)) is not None:
                return Done(step, "kept", words)
            note_removal(
                layout,
                Removal(receipt.job, receipt.id, stamp(clock.now()), step.why, (step.product.video.path,)),
            )
            for output in step.product.files:
                claim.check()
                remove_beneath(layout.outputs, _below(layout, output), output.size)
    except lease.Taken as holder:
        return Done(step, "kept", f"its clip is being worked on by {holder}")
    return Done(step, "removed")


def sweep(
    layout: Layout, settings: Settings, claims: lease.Settings, clock: Clock, say: Callable[[str], None]
) -> Iterator[None]:
    """Remove what the rules say, one step at a time; `say` is told of every removal and of what could not be."""
    steps: list[Step] = []
    strange: list[str] = []
    for step in plan(layout, settings.rules, clock.now(), strange.append):
        if step is not None:
            steps.append(step)
        yield
    if strange:
        say(f"retention: {len(strange)} outputs are left alone: {strange[0]}")
    for step in steps:
        try:
            done = remove(layout, step, claims, clock)
        except Deferred:
            raise
        except ClipdError as error:
            say(f"retention: {step.product.video.path} stays for now: {error}")
        else:
            if done.result == "removed":
                say(f"retention: removed {step.product.video.path} ({step.why})")
        yield


def _products(layout: Layout, left_alone: Callable[[str], None]) -> Iterator[list[Product]]:
    """The standing products of each job, by its newest receipt: former ones were replaced or withdrawn."""
    require_root(layout)
    folder = layout.all_receipts
    for job in sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ():
        if receipts := records.read_receipts(layout, job):
            yield list(_standing(layout, receipts[-1], left_alone))


def _standing(layout: Layout, receipt: Receipt, left_alone: Callable[[str], None]) -> Iterator[Product]:
    removal = read_removal(layout, receipt.job)
    begun = removal.paths if removal is not None and removal.receipt == receipt.id else ()
    for video in (output for output in receipt.outputs if output.role == "video"):
        try:
            stands = _stands(layout, video)
            if not stands and video.path not in begun:
                continue
            stem = PurePosixPath(video.path).with_suffix("")
            beside = (o for o in receipt.outputs if o.role != "video" and PurePosixPath(o.path).with_suffix("") == stem)
            # The JSON sheet last: until then it says whose files these are.
            companions = sorted((o for o in beside if _stands(layout, o)), key=lambda o: o.path.endswith(".json"))
            if stands or companions:
                yield Product(
                    receipt, video, tuple(companions), PurePosixPath(_below(layout, video)).parts[0],
                    _camera(layout, receipt), _moment(receipt.published_at), stands,
                )  # fmt: skip
        except (ClipdError, ValueError) as error:
            left_alone(f"{video.path}: {error}")


def _stands(layout: Layout, output: Output) -> bool:
    return size_beneath(layout.outputs, _below(layout, output)) == output.size


def _below(layout: Layout, output: Output) -> str:
    """The path of an output below the outputs tree. Raises ValueError when it lies elsewhere, or in a tree within."""
    path = layout.at(output.path)
    if ".." in path.parts:
        raise ValueError(f"{output.path} is no plain path")
    below = path.relative_to(layout.outputs)
    for tree in (layout.source, layout.sidecars, layout.inbox, layout.recordings, layout.state):
        if tree.is_relative_to(layout.outputs) and path.is_relative_to(tree):
            raise ValueError(f"{output.path} is no output")
    return below.as_posix()


def _what_keeps(layout: Layout, product: Product) -> str | None:
    """Why a product must stay after all; looked at under its claim.

    That nobody works on the clip is known by the claim, not by its record: a killed attempt leaves that at `running`.
    """
    job = product.receipt.job
    receipts = records.read_receipts(layout, job)
    if not receipts or receipts[-1].id != product.receipt.id:
        return "it was made again meanwhile"
    if outbox.is_awaited(layout, job, product.receipt.id):
        return "it is still to be copied to a destination"
    if owner(layout.at(product.video.path)) not in (None, job):
        return "the file is another clip's by now"
    wished = _job(layout, product.receipt)
    if wished is None:
        return "nobody knows what asked for it"
    try:
        wish = ORIGINS[wished.kind].read(layout, wished)
    except ClipdError as error:
        return f"it cannot be seen whether its clip is open: {error}"
    return None if wish is None or not wish.due else "its clip asks to be made again"


def _job(layout: Layout, receipt: Receipt) -> Job | None:
    """The job that a receipt is of."""
    if receipt.kind not in ORIGINS:
        return None
    return Job(
        id=receipt.job, kind=receipt.kind, origin=receipt.origin, key=receipt.key, name=receipt.name,
        camera=_camera(layout, receipt), session=UNNAMED, priority=0, requested_at=datetime.now(UTC),
    )  # fmt: skip


def _camera(layout: Layout, receipt: Receipt) -> str:
    if receipt.camera:
        return receipt.camera
    origin = layout.at(receipt.origin)
    return layout.place(origin).camera if origin.is_relative_to(layout.sidecars) else UNNAMED


def _covers(rule: Rule, product: Product) -> bool:
    return (
        product.standing
        and (not rule.formats or product.format in rule.formats)
        and (not rule.cameras or product.camera in rule.cameras)
    )


def _old(rule: Rule, products: list[Product], now: datetime) -> Iterator[Step]:
    if rule.older_than_days is None:
        return
    limit = now - timedelta(days=rule.older_than_days)
    for product in products:
        if product.published_at <= limit:
            days = (now - product.published_at).total_seconds() / DAY_SECONDS
            yield Step(product, f"{days:.1f} days old, more than {rule.older_than_days:g}")


def _beyond(rule: Rule, products: list[Product]) -> Iterator[Step]:
    """The oldest products that must go until the rest fits."""
    if rule.larger_than is None:
        return
    total = sum(product.size for product in products)
    limit = rule.larger_than.human_readable()
    for product in products:
        if total <= rule.larger_than:
            return
        yield Step(product, f"the oldest of {ByteSize(total).human_readable()}, more than {limit}")
        total -= product.size


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
