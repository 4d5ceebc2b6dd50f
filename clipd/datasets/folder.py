"""The output folder of a dataset: what lies where in it.

processing_results.json   what became of each row, in the table's order
processing_stats.json     the numbers
processing_ledger.jsonl   which rows are done: keep it to go on
rows/<id>/...             the files of each row
shards/...                ledgers, where several processes work on one table
.clipd-staging/<id>/...   the files of rows that are being worked on
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from clipd.errors import ClaimLost
from clipd.files.atomic import fsync_directory, publish_folder, sync, translated


@dataclass(frozen=True)
class OutputFolder:
    """The folder at `root`, with the ledger somewhere else if `checkpoint` says so."""

    root: Path
    checkpoint: Path | None = None
    run: str = ""
    """Tells the ledgers of shards from those of another cutting up of the table."""
    scratch: Path | None = None
    """A folder that is there, on the filesystem of `root`, where the files of rows are made; None for one in it.

    Who removes it keeps whoever works there from ending any row.
    """

    @property
    def results(self) -> Path:
        """What became of each row."""
        return self.root / "processing_results.json"

    @property
    def stats(self) -> Path:
        """The numbers."""
        return self.root / "processing_stats.json"

    @property
    def ledger(self) -> Path:
        """Which rows are done."""
        return self.checkpoint or self.root / "processing_ledger.jsonl"

    @property
    def shards(self) -> Path:
        """Holds the ledgers of shards."""
        return self.root / "shards"

    def shard_ledger(self, number: int, attempt: str = "") -> Path:
        """The ledger of one attempt at a shard: nobody else writes it, also where locks do not reach."""
        return self.shards / self.run / f"{number:06d}{attempt and '.'}{attempt}.jsonl"

    def shard_ledgers(self, number: int) -> list[Path]:
        """The ledgers of all attempts at a shard that there are."""
        return sorted((self.shards / self.run).glob(f"{number:06d}*.jsonl"))

    @property
    def rows(self) -> Path:
        """Holds a folder for each row that left files."""
        return self.root / "rows"

    def row(self, folder: str) -> Path:
        """The files of one row."""
        return self.rows / folder

    @property
    def stagings(self) -> Path:
        """Holds the folders of rows that are being worked on."""
        return self.scratch or self.root / ".clipd-staging"

    def staging(self, folder: str) -> Path:
        """Where the files of one row are made."""
        return self.stagings / folder

    def sweep(self) -> None:
        """Remove what is in staging; only while nobody works on a row."""
        remove(self.stagings)

    def begin(self, folder: str) -> Path:
        """An empty staging folder for a row.

        Raises:
            ClaimLost: `scratch` is gone, because somebody else works on the rows now.
        """
        path = self.staging(folder)
        remove(path)
        with translated(f"making {path}"):
            try:
                path.mkdir(parents=self.scratch is None)
            except FileNotFoundError as error:
                raise ClaimLost(f"{path.parent} is gone: another process took the rows over") from error
        return path

    def require(self, folder: str) -> None:
        """Raise `ClaimLost` where the staging folder of a row is gone: its end is somebody else's by now."""
        if not self.staging(folder).is_dir():
            raise ClaimLost(f"{self.staging(folder)} is gone: another process took the row over")

    def publish(self, folder: str) -> None:
        """Put the staged files of a row in place of those it had, in one step; without any, it has none any more.

        Raises:
            ClaimLost: its staging folder is gone, because somebody else works on the row now.
        """
        staged, final = self.staging(folder), self.row(folder)
        self.require(folder)
        if any(staged.iterdir()):
            with translated(f"making {self.rows}"):
                self.rows.mkdir(exist_ok=True)
            publish_folder(staged, final)
            remove(staged)
        else:
            remove(staged)
            remove(final)

    def discard(self, folder: str) -> None:
        """Remove what a row that failed has staged; the files it had before stay."""
        remove(self.staging(folder))


def sync_all(folder: Path) -> tuple[str, ...]:
    """Sync every file below `folder`; their paths below it, `/`-separated and sorted.

    Links and special files are removed: nothing that is read later may lead elsewhere.
    """
    names = []
    with translated(f"reading {folder}"):
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                path.unlink()
            elif path.is_file():
                sync(path)
                names.append(path.relative_to(folder).as_posix())
            else:
                fsync_directory(path)
    return tuple(names)


def remove(folder: Path) -> None:
    """Remove `folder` with all that is in it; it is well if there is none."""
    with translated(f"removing {folder}"):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            return
