"""The ledger: which rows are done, a JSON object on each line, appended and synced before the next row counts.

It is all that survives a kill, and enough: a row that is not in it runs (again). Its last line may be torn by a kill or
a power cut; opening it cuts that off. One run at a time writes it: the lock goes with the process that holds it.

Raises `Rejected` where another run holds the ledger or the file is none, and what `atomic` raises.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from clipd.datasets.record import Begun, Lost, NotARecord, Record, read
from clipd.errors import Rejected
from clipd.files import atomic

HEADER = b'{"clipd":"ledger","version":1}\n'
"""The first line: another program's file is not taken for a ledger, nor a later one's for ours."""
TAIL_BYTES = 64 << 10


class Ledger:
    """An open ledger, held by this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with atomic.translated(f"opening {path}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            self._begin()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def append(self, records: Iterable[Record | Begun | Lost], *, durable: bool = True) -> list[int]:
        """Add `records`, synced together; the offset of each, in bytes.

        Without `durable` they survive this process, but not a power cut.
        """
        with atomic.translated(f"writing {self.path}"):
            offset = os.lseek(self._descriptor, 0, os.SEEK_END)
        lines = [record.line_of_ledger() for record in records]
        atomic.append(self._descriptor, b"".join(lines), durable=durable)
        offsets = []
        for line in lines:
            offsets.append(offset)
            offset += len(line)
        return offsets

    def _begin(self) -> None:
        with atomic.translated(f"opening {self.path}"):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Rejected(f"another run is at work on {self.path}; wait for its end, or stop it") from None
            size = os.fstat(self._descriptor).st_size
            head = os.pread(self._descriptor, len(HEADER), 0)
            if not HEADER.startswith(head):
                raise Rejected(f"{self.path} is no ledger of this version; name another file, or move it away")
            kept = self._end_of_last_line(size) if head == HEADER else 0
            if kept < size:
                os.ftruncate(self._descriptor, kept)
        if not kept:
            atomic.append(self._descriptor, HEADER)
            atomic.fsync_directory(self.path.parent)

    def _end_of_last_line(self, size: int) -> int:
        end = size
        while end:
            begin = max(0, end - TAIL_BYTES)
            at = os.pread(self._descriptor, end - begin, begin).rfind(b"\n")
            if at >= 0:
                return begin + at + 1
            end = begin
        return 0


def records(path: Path) -> Iterator[tuple[int, Record | Begun | Lost]]:
    """Every record in the ledger at `path` with its offset in bytes, in the order of writing; torn lines left out.

    Where there is no ledger, there are none.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file, atomic.translated(f"reading {path}"):
        offset = 0
        for line in file:
            if offset and line.endswith(b"\n"):
                try:
                    record = read(line)
                except NotARecord:
                    # Blocks that a power cut left empty: the row is not done, and runs again.
                    pass
                else:
                    yield offset, record
            offset += len(line)
