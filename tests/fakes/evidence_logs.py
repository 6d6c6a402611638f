# SPDX-License-Identifier: Apache-2.0
"""A stamped and witnessed log and its successor, with people in both, and a desk that makes evidence over them."""

from datetime import timedelta
from pathlib import Path

from audit.evidence import Kept, Made, Token, Wish
from audit.merkle import Note
from audit.reader import WITNESSED, LogReader
from audit.stamps import StampStore
from tests.fakes.evidence import OFFICER, EvidenceWorld
from tests.fakes.log_site import LogSite


class SuccessorWorld(EvidenceWorld):
    """Entries of the evidence world in the closed log; in the one after it 1 of one person, 2 of another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        first = self.log_keys()
        closed, self.base, _ = self.rotate()
        self.add(subject="li", sealed={"name": "Li Xiaoming"})
        self.add(subject="wang", sealed={"name": "Wang Fang"})
        self.log.integrate()
        self.cosigned = self._cosign()
        archive = folder / "logs" / "log"
        (archive / WITNESSED).write_text(self._cosigned(closed.note()), "utf-8")
        self.later = StampStore.open(folder / "stamps-2.db")
        stampers = [
            self.stamper(log=closed, dated_by=LogSite.first_key().mldsa_vkey, before=self.base, closed=True),
            self.stamper(store=self.later, before=self.base),
        ]
        for stamper in reversed(stampers):
            stamper._interval = timedelta()
            self.round(stamper)
        self.keys = [*first, *self.log_keys()]
        self.logs = [
            Kept(base=0, log=LogReader(archive, str(first[0])), keys=first, stamped=self.stamped, grows=False),
            Kept(base=self.base, log=self.site.reader(), keys=self.log_keys(), stamped=self.stamped_later),
        ]
        self.desk = self.made_desk(logs=self.logs)

    def stamped_later(self, size: int) -> Token | None:
        found = self.later.covering(size)
        return None if found is None else Token(
            note=found.note, token=found.token, at=found.at, authority=found.authority
        )  # fmt: skip

    def make_over(self, *places: int) -> Made:
        wish = Wish(places=places, about="subject:li", purpose="Case 17/2026", opened=True, warrants=("w1", "w2"))
        return self.desk.make(OFFICER, wish)

    def close(self) -> None:
        self.later.close()
        super().close()

    def _cosigned(self, text: str) -> str:
        note = Note.parse(text.encode())
        lines = [line for key in self.witnesses for line in key.cosign(note.text, self.clock.now())]
        return str(Note(note.text, (*note.signatures, *lines)))
