# SPDX-License-Identifier: Apache-2.0
"""Being a witness for logs of others: cosign what continues the last checkpoint, and nothing else.

A good submission is stored before it is answered, and only if nothing was stored in between. Two submissions that race
cannot roll the witness back.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import ProofRefused
from ..merkle import EMPTY_ROOT, Checkpoint, CosignerKey, Note, Signature, VerifierKey, verify_consistency
from ..merkle.keys import COSIGNATURE_MLDSA44
from ..models import Event, Outcome, Recorder
from .errors import BadSubmission, Inconsistent, NotTheLogs, Outdated, UnknownLog
from .store import Cosigned, WitnessStore
from .submission import Submission, answer_lines

# Seconds for which an answer may be repeated as it was.
_FRESH = 60
_log = logger(__name__)


class Witness:
    """The verbs of a witness; ``logs`` are the keys it trusts, each for the origin that is its name."""

    def __init__(
        self,
        *,
        key: CosignerKey,
        logs: Sequence[VerifierKey],
        store: WitnessStore,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._key = key
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._logs: dict[str, list[VerifierKey]] = {}
        for log in logs:
            self._logs.setdefault(log.name, []).append(log)
        self._origins = {hashlib.sha256(origin.encode()).hexdigest(): origin for origin in self._logs}

    @property
    def origins(self) -> Sequence[str]:
        """The logs that are witnessed here."""
        return sorted(self._logs)

    @property
    def keys(self) -> Sequence[VerifierKey]:
        """Our own, for others' policy files."""
        return self._key.vkeys

    def cosigned(self) -> Sequence[tuple[str, Cosigned | None]]:
        """Each log that is witnessed here, and what was cosigned of it last."""
        last = {each.origin: each for each in self._store.everything()}
        return [(origin, last.get(origin)) for origin in sorted(self._logs.keys() | last.keys())]

    def contradictions(self) -> Sequence[Cosigned]:
        """What logs of others signed against themselves."""
        return self._store.contradictions()

    def add_checkpoint(self, body: bytes) -> bytes:
        """Cosign a checkpoint; the lines of our signatures.

        Raises:
            BadSubmission, UnknownLog, NotTheLogs, Outdated, Inconsistent: by the checks in their order.
        """
        given = Submission.parse(body)
        new = given.unverified_checkpoint
        # 1. Do we know the log, and did it sign?
        keys = self._logs.get(new.origin)
        if keys is None:
            raise UnknownLog
        _demand_signed(given.unverified_note, new, keys)
        # 2. Does it start from what we cosigned last?
        last = self._store.last(new.origin)
        size, root = (last.size, last.root) if last else (0, EMPTY_ROOT)
        if given.old > new.size:
            raise BadSubmission(why="it is smaller than the checkpoint it is said to continue")
        if given.old != size:
            raise Outdated(size=size)
        # 3. Does it continue it?
        self._demand_continued(given, root)
        now = int(self._clock.now().timestamp())
        if last is not None and (known := self._said_just_now(last, given.unverified_note.text, now)):
            return answer_lines(known)
        # 4. Store, if nobody was faster; only then answer. The clock may have been set back, a later statement about
        #    a larger tree must not be dated before an earlier one about a smaller tree.
        at = max(now, last.at if last else 1)
        lines = self._key.cosign(given.unverified_note.text, datetime.fromtimestamp(at, UTC))
        note = Note(given.unverified_note.text, (*_own(given.unverified_note, keys), *lines))
        if not self._store.replace(last, Cosigned(new.origin, new.size, new.root, str(note), at)):
            winner = self._store.last(new.origin)
            raise Outdated(size=winner.size if winner else 0)
        return answer_lines(lines)

    def latest(self, digest: str) -> bytes:
        """The newest cosigned checkpoint of the log whose origin has this SHA-256.

        Raises:
            UnknownLog: there is none.
        """
        last = self._store.last(self._origins[digest]) if digest in self._origins else None
        if last is None:
            raise UnknownLog
        return last.note.encode()

    def _said_just_now(self, last: Cosigned, text: str, now: int) -> list[Signature]:
        """Our lines on this very text if they are fresh: a public checkpoint sent again and again costs no write."""
        note = Note.parse(last.note.encode())
        if note.text != text or now - last.at >= _FRESH:
            return []
        return [line for key in self._key.vkeys for line in note.known(key)]

    def _demand_continued(self, given: Submission, root: bytes) -> None:
        new = given.unverified_checkpoint
        try:
            verify_consistency(old=given.old, new=new.size, old_root=root, new_root=new.root, proof=given.proof)
        except ProofRefused as error:
            if given.old == new.size and new.root != root:
                self._contradicted(given)
            raise Inconsistent(why=str(error.parameters["why"])) from error
        if new.size == 0 and new.root != EMPTY_ROOT:
            raise Inconsistent(why="an empty log has another root")

    def _contradicted(self, given: Submission) -> None:
        """Keep and record the proof that a log has signed two histories; the sender is answered either way."""
        new = given.unverified_checkpoint
        found = Cosigned(new.origin, new.size, new.root, str(given.unverified_note), int(self._clock.now().timestamp()))
        if not self._store.keep_contradiction(found):
            return
        _log.error("log_contradicts_itself", origin=new.origin, size=new.size)
        try:
            self._recorder.record(
                Event(
                    key=secrets.token_hex(16),
                    type="audit.witness.contradicted",
                    outcome=Outcome.DENIED,
                    at=self._clock.now(),
                    source="audit",
                    object=new.origin,
                    attributes={"size": new.size, "root": new.root.hex()},
                )
            )
        except TallygateError as error:
            # The proof itself is kept; nothing was granted.
            _log.error("contradiction_not_recorded", origin=new.origin, exc_info=error)


def _demand_signed(note: Note, checkpoint: Checkpoint, keys: Sequence[VerifierKey]) -> None:
    good = 0
    for key in keys:
        try:
            if not note.known(key):
                continue
            if key.type == COSIGNATURE_MLDSA44:
                checkpoint.verify_cosignature(note, key)
            else:
                note.verify([key])
        except ProofRefused as error:
            raise NotTheLogs from error
        good += 1
    if not good:
        raise NotTheLogs


def _own(note: Note, keys: Sequence[VerifierKey]) -> list[Signature]:
    """The log's own lines, without those of strangers."""
    return [line for key in keys for line in note.known(key)]
