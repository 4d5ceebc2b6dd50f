"""Datasets by hand: every row of a table through a function, in processes of their own, to be stopped at any moment.

    processor = BatchVideoProcessor(num_workers=4)
    done = processor.process_dataset("videos.csv", "video_path", my_function, id_col="video_id", output_dir="outputs")

The ledger in the output folder says which rows are done: the same call goes on where the last one was stopped, however
it ended. One run at a time works on an output folder.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from clipd.config import Config, load
from clipd.datasets.folder import OutputFolder
from clipd.datasets.ledger import Ledger
from clipd.datasets.record import Failure, Record, read
from clipd.datasets.register import Register
from clipd.datasets.results import Results, write_stats
from clipd.datasets.row import Columns
from clipd.datasets.stats import ProcessingStats
from clipd.datasets.table import require_columns
from clipd.errors import ConfigError, Deferred
from clipd.files import space
from clipd.jobs.rows.finish import known_rows, save_results, sum_up
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.recipe import Recipe, recipe
from clipd.jobs.rows.run import Dataset, Work, confirm, do, due, enter, failed
from clipd.worker.crew import Crew, Ended
from clipd.worker.crew import Settings as CrewSettings
from clipd.worker.pool import cores

AT_ONCE: Final = 256
"""How many rows that need no work are entered into the ledger together."""
GROWTH: Final = 1.5
"""Results are written again when so many times more rows have ended: all writing together costs thrice the last."""


@dataclass(frozen=True)
class Standing:
    """How far a run is, for a progress bar; rows."""

    total: int
    processed: int
    failed: int
    resumed: int
    """Of these, how many earlier runs had finished."""


Progress = Callable[[Standing], None]
Ends = list[tuple[Work | None, Record]]
"""Rows that ended: the work, where any was done, and its record."""

_DEFERRED: Final = b"deferred: "
"""How an answer begins that is no record."""


class BatchVideoProcessor:
    """Runs functions over tables of videos."""

    def __init__(
        self,
        config: Config | Mapping[str, Any] | None = None,
        num_workers: int = 4,
        checkpoint_path: str | Path | None = None,
        *,
        timeout: float = 3600.0,
        memory: str | int = "8GiB",
        beneath: Path | None = None,
    ) -> None:
        """Prepare to run.

        Args:
            config: settings of clips and media limits: a `Config`, or what a settings file would say; None for the
                defaults and the environment.
            num_workers: rows worked on at the same time, each in a process of its own.
            checkpoint_path: where the ledger is kept; None keeps it in the output folder.
            timeout: the longest that one row may take, in seconds; 0 is no limit.
            memory: the most that one process may use, such as `8GiB`; 0 is no limit.
            beneath: a folder that every video must lie in; None for tables that may name any file.

        Raises:
            ConfigError: a setting is wrong.
        """
        self.config = config if isinstance(config, Config) else load(None, None, config)
        self.checkpoint_path = None if checkpoint_path is None else Path(checkpoint_path).absolute()
        self.beneath = beneath
        try:
            self.crew = CrewSettings(workers=num_workers, timeout_seconds=timeout, memory=memory)
        except ValidationError as error:
            problem = error.errors()[0]
            raise ConfigError(f"{problem['loc'][0]} = {problem['input']!r}: {problem['msg'].lower()}") from None
        self.stats = ProcessingStats()
        """The numbers of the last run."""

    def process_dataset(
        self,
        csv_path: str | Path,
        video_col: str,
        process_fn: str | Callable[..., Any],
        id_col: str | None = None,
        output_dir: str | Path | None = None,
        save_interval: int = 100,
        *,
        arguments: Mapping[str, Any] | None = None,
        retry_failed: bool = False,
        use_spans: bool = True,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Run `process_fn` over every row that is not done yet.

        A row that fails (no such file, a broken video, a function that raises, hangs or crashes) is one failure in the
        results, and not run again until it changes or `retry_failed` asks for it. Ctrl-C stops the run, saves, and
        raises `KeyboardInterrupt`.

        Args:
            csv_path: the table: CSV, JSON Lines or Parquet. Paths in it count from its own folder.
            video_col: the column with the path of the video.
            process_fn: a name in `clipd.jobs.rows.FUNCTIONS`, or a function, which gets what its parameters ask for:
                `fn(loader)`, `fn(loader, row, output_dir)`, `fn(video_path, row)` ... (`clipd.jobs.rows.own` lists
                them). It returns what JSON can say, or arrays, which are saved to files.
            id_col: a column that names each row; without it, a row is known by its content.
            output_dir: where everything goes; None is `<table>_outputs` beside the table.
            save_interval: after how many rows the numbers are saved; results are saved then too, as long as that costs
                little for the rows done, and in any case at the end.
            arguments: settings of a function of the table, or further arguments of your own.
            retry_failed: run just those rows that failed.
            use_spans: do columns called start, end, start_frame, end_frame and crop name a part of the video?
            progress: is told how far the run is.

        Returns:
            `{"results": Results, "stats": dict}`: the rows of `processing_results.json`, read when they are asked for,
            and the numbers of `processing_stats.json`.

        Raises:
            Rejected: the table, a column, the function or an argument is wrong, or another run is at work there.
            Deferred: the disk is full; what is done is saved, and the same call goes on.
        """
        path = Path(csv_path).absolute()
        columns = Columns(video=video_col, id=id_col)
        dataset = Dataset(path, columns if use_spans else columns.without_spans(), self.beneath).pin()
        require_columns(dataset.open(), video_col, id_col)
        root = path.with_name(f"{path.stem}_outputs") if output_dir is None else Path(output_dir)
        output = OutputFolder(root.absolute(), self.checkpoint_path)
        made = recipe(process_fn, arguments or {}, self._means())
        with _stoppable() as stopping:
            run = _Run(dataset, made, output, self.crew, self.config.space, save_interval, retry_failed)
            try:
                run.go(stopping, progress or (lambda _: None))
            finally:
                self.stats = run.stats
        if stopping():
            raise KeyboardInterrupt
        return {"results": Results(output.results), "stats": self.stats.to_dict()}

    def _means(self) -> Means:
        config = self.config
        threads = max(1, cores() // self.crew.workers)
        return Means(config.media, config.clips, config.cache_folder, threads)


@dataclass
class _Run:
    """One run over one table."""

    dataset: Dataset
    recipe: Recipe
    output: OutputFolder
    crew: CrewSettings
    space: space.Settings
    save_interval: int
    retry_failed: bool
    stats: ProcessingStats = field(default_factory=ProcessingStats)
    _total: int = 0
    _began: float = field(default_factory=time.monotonic)
    _unsaved: int = 0
    _rows_in_results: int = 0
    _deferred: str = ""

    def go(self, stopping: Callable[[], bool], progress: Progress) -> None:
        """Do what is due, and save results and numbers, also when it is stopped.

        Raises:
            Deferred: the disk cannot take more; what is done is saved.
        """
        with Ledger(self.output.ledger) as ledger, Register() as register:
            self.output.sweep()
            register.load(ledger.path)
            self._total = confirm(known_rows(self.dataset, register), register, self.recipe)
            progress(self._standing(register))
            self._work(ledger, register, stopping, progress)
            self._save(register)
            self.output.sweep()
        if self._deferred:
            raise Deferred(self._deferred)

    def _work(self, ledger: Ledger, register: Register, stopping: Callable[[], bool], progress: Progress) -> None:
        def is_over() -> bool:
            return stopping() or bool(self._deferred)

        def end(ended: Ends) -> None:
            enter(ended, self.output, ledger, register)
            self._unsaved += len(ended)
            progress(self._standing(register))
            self._save_now_and_then(register)

        with Crew(self.crew, partial(answer, self.recipe, self.output), is_over) as crew:
            for group in crew.run(self._tasks(register, end)):
                records = [(ended.task, self._record(ended)) for ended in group]
                end([(work, record) for work, record in records if record is not None])

    def _tasks(self, register: Register, end: Callable[[Ends], None]) -> Iterator[Work]:
        """The rows to be worked on; those that fail without any work end on the way."""
        fallen: Ends = []
        rows = known_rows(self.dataset, register)
        for item in due(rows, register, self.recipe, retry_failed=self.retry_failed):
            if isinstance(item, Record):
                fallen.append((None, item))
                if len(fallen) < AT_ONCE:
                    continue
                end(fallen)
                fallen = []
                continue
            try:
                space.require(self.output.root, 0, self.space)
            except Deferred as error:
                self._deferred = str(error)
                break
            yield item
        end(fallen)

    def _record(self, ended: Ended) -> Record | None:
        """What became of a task; None where it is no fault of the row, and the run is over."""
        if ended.answer is None:
            return failed(ended.task, Failure(ended.kind, ended.loss))
        if ended.answer.startswith(_DEFERRED):
            self._deferred = ended.answer.removeprefix(_DEFERRED).decode()
            return None
        record = read(ended.answer)
        assert isinstance(record, Record)  # noqa: S101 - `answer` gives nothing else
        return record

    def _standing(self, register: Register) -> Standing:
        sums = register.sums()
        return Standing(self._total, sums.ok, sums.failed, sums.resumed)

    def _save_now_and_then(self, register: Register) -> None:
        """After `save_interval` rows the numbers; the results too when enough has come to be worth writing them all."""
        if self._unsaved < self.save_interval:
            return
        sums = register.sums()
        if sums.ok + sums.failed >= GROWTH * self._rows_in_results:
            self._save(register)
        else:
            self._save_stats(register)

    def _save(self, register: Register) -> None:
        save_results(self.dataset, register, self.output)
        sums = register.sums()
        self._rows_in_results = sums.ok + sums.failed
        self._save_stats(register)

    def _save_stats(self, register: Register) -> None:
        self.stats = sum_up(register, self._total, wall_time=time.monotonic() - self._began)
        write_stats(self.output.stats, self.stats)
        self._unsaved = 0


def answer(recipe: Recipe, output: OutputFolder, work: Work) -> bytes:
    """One row, in a process of the crew: its record as a line, or why nothing can be done now."""
    try:
        return do(work, recipe, output, _go_on).line_of_ledger()
    except Deferred as error:
        return _DEFERRED + str(error).encode("utf-8", "backslashreplace")


def _go_on(_stage: str, _done: int, _total: int) -> None:
    """Nothing stops a row from inside: its process is ended from outside."""


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Tells whether Ctrl-C or SIGTERM asked to stop while the block runs; a second one does what it always does."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # Signals are the main thread's.
        yield asked.is_set
        return
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(_number: int, _frame: object) -> None:
        asked.set()
        restore()

    def restore() -> None:
        for number, handler in former.items():
            signal.signal(number, handler)

    try:
        for number in former:
            signal.signal(number, ask)
        yield asked.is_set
    finally:
        restore()
