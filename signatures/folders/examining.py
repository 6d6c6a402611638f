# SPDX-License-Identifier: Apache-2.0
"""Reads many files at once and answers in order, holding no more of them than there are reading processes."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from ..errors import SandboxFailed
from ..models import Profile, Trust, Verdict
from ..sandbox import ReaderPool
from ..verdict import judge, unreadable
from .walking import Entry


@dataclass(frozen=True, kw_only=True)
class Examiner:
    """What every file is judged by."""

    readers: ReaderPool
    trust: Trust
    lists: Sequence[bytes]
    profile: Profile
    at: datetime
    # Files larger than this, in bytes, are said to be too large.
    largest: int
    # How many are read at once; no more than the pool has processes.
    together: int = 1

    def all(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Verdict]]:
        """A verdict for each, in the order of ``entries``."""
        waiting: deque[tuple[Entry, Future[Verdict]]] = deque()
        with ThreadPoolExecutor(self.together) as pool:
            try:
                for entry in entries:
                    waiting.append((entry, pool.submit(self.one, entry)))
                    if len(waiting) > 2 * self.together:
                        done, verdict = waiting.popleft()
                        yield done, verdict.result()
                while waiting:
                    done, verdict = waiting.popleft()
                    yield done, verdict.result()
            finally:
                for _, left in waiting:
                    left.cancel()

    def one(self, entry: Entry) -> Verdict:
        """One file's verdict; also a file that cannot be opened has one."""
        try:
            if max(each.stat().st_size for each in (entry.path, entry.over) if each) > self.largest:
                return self._unreadable(b"", "limits")
            document, over = entry.path.read_bytes(), entry.over.read_bytes() if entry.over else None
        except OSError:
            return self._unreadable(b"", "malformed")
        return self.examine(document, over)

    def examine(self, document: bytes, content: bytes | None = None, beside: Sequence[bytes] = ()) -> Verdict:
        """The verdict on some bytes; ``beside`` are time-stamps that came beside them."""
        try:
            found = self.readers.inspect(
                document,
                trust=self.trust,
                lists=self.lists,
                profile=self.profile,
                at=self.at,
                content=content,
                tokens=beside,
            )
        except SandboxFailed as error:
            return self._unreadable(document, error.reason, content)
        return judge(document, found, profile=self.profile, at=self.at, content=content)

    def _unreadable(self, document: bytes, reason: str, content: bytes | None = None) -> Verdict:
        return unreadable(document, reason, profile=self.profile, at=self.at, content=content)
