# SPDX-License-Identifier: Apache-2.0
"""Asking witnesses to cosign our checkpoints, until a policy's quorum has; the largest checkpoint it has is kept.

What a witness sends counts only if the key that the policy gives it signed exactly our checkpoint. A witness that
knows more entries of our log than we do, or another history, is never argued with: the status says so.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from core.calls import Reply
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from ..errors import ProofRefused
from ..merkle import Checkpoint, Note, Signature, VerifierKey
from .client import WitnessSilent
from .policy import KnownWitness, Policy
from .status import Standing, State, WitnessStatus
from .submission import SIZE_TYPE, cosignatures, stated_size, submission

# A cosignature from further ahead is no statement about now; clocks of two sites may differ a little.
_AHEAD = timedelta(minutes=5)
_PATIENCE = 30.0
_OK, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _UNPROCESSABLE = 200, 403, 404, 409, 422
_STATES = {_FORBIDDEN: State.NOT_TRUSTED, _NOT_FOUND: State.UNKNOWN, _UNPROCESSABLE: State.INCONSISTENT}
_log = logger(__name__)


class OwnLog(Protocol):
    """What is asked of our log (``audit.reader.LogReader``)."""

    def note(self) -> str:
        """The newest published checkpoint, signed."""
        ...

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """A proof that the log at ``new`` continues the log at ``old``."""
        ...


class Asked(Protocol):
    """One witness's submission prefix (``audit.witness.client.WitnessClient``)."""

    def add_checkpoint(self, body: bytes) -> Reply:
        """Send a submission; raises ``WitnessSilent``."""
        ...


@dataclass(frozen=True)
class Kept:
    """A checkpoint with the cosignatures of a quorum on it; size 0 and no note before there is one."""

    size: int
    note: str


@dataclass(frozen=True)
class _Heard:
    """What one address answered: a state, and lines that nobody has verified."""

    state: State
    unverified: Sequence[Signature] = ()


class Cosigning:
    """Our witnesses; used by one thread at a time.

    ``keep`` stores the cosigned note for good, ``tell`` leaves the status for the console. ``kept`` is what ``keep``
    stored last.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        key: VerifierKey,
        log: OwnLog,
        addresses: Mapping[str, Asked],
        keep: Callable[[bytes], None],
        tell: Callable[[bytes], None],
        clock: Clock,
        kept: bytes = b"",
    ) -> None:
        self._policy = policy
        self._key = key
        self._log = log
        self._addresses = addresses
        self._keep = keep
        self._tell = tell
        self._clock = clock
        # The size that each address cosigned last, as far as we know.
        self._known: dict[str, int] = {}
        self._standings = {
            name: Standing(name=_shown(name), state=State.SILENT if witness.url else State.NO_ADDRESS)
            for name, witness in policy.witnesses.items()
        }
        self._since: datetime | None = None
        # The largest checkpoint that enough have cosigned, replaced as one: others read it meanwhile.
        self.kept = Kept(0, "")
        # Whether the last checkpoint that was shown got enough; None until one was.
        self.met: bool | None = None
        self._take_up(kept)

    def advance(self) -> None:
        """Show the newest published checkpoint to everybody, unless enough have cosigned it already.

        Raises:
            LogDamaged: our own log cannot be read.
            OSError: what was cosigned could not be kept, and does not count.
        """
        note = Note.parse(self._log.note().encode())
        checkpoint = Checkpoint.unverified(note.text)
        if self.met and checkpoint.size == self.kept.size:
            self._conclude(checkpoint.size, met=True)
            return
        cosigned: list[Signature] = []
        names: set[str] = set()
        for url, heard in self._ask_all(note, checkpoint).items():
            for witness in self._at(url):
                lines = self._verified(witness, heard, note, checkpoint)
                cosigned += lines
                names |= {witness.name} if lines else set()
        met = self._policy.satisfied(names) and checkpoint.size >= self.kept.size
        if met:
            whole = str(Note(note.text, (*note.signatures, *cosigned)))
            self._keep(whole.encode())
            self.kept = Kept(checkpoint.size, whole)
        self._conclude(checkpoint.size, met=met)

    def _take_up(self, kept: bytes) -> None:
        """Begin where an earlier process ended; what no longer satisfies the policy is asked for again."""
        if not kept:
            return
        try:
            self.kept = Kept(self._policy.demand(kept, [self._key]).size, kept.decode())
        except ProofRefused as error:
            _log.warning("cosigned_checkpoint_dropped", why=error.parameters["why"])

    def _at(self, url: str) -> list[KnownWitness]:
        return [witness for witness in self._policy.witnesses.values() if witness.url == url]

    def _ask_all(self, note: Note, checkpoint: Checkpoint) -> dict[str, _Heard]:
        heard: dict[str, _Heard] = {}

        def ask(url: str, asked: Asked) -> None:
            try:
                heard[url] = self._ask(url, asked, note, checkpoint.size)
            except (TallygateError, OSError) as error:
                _log.warning("witness_failed", url=url, error=str(error))
                heard[url] = _Heard(State.SILENT)

        # In threads that die with the process: a witness that does not answer must not keep the log from stopping.
        threads = [threading.Thread(target=ask, args=each, daemon=True) for each in self._addresses.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=_PATIENCE)
        return {url: heard.get(url, _Heard(State.SILENT)) for url in self._addresses}

    def _ask(self, url: str, asked: Asked, note: Note, size: int) -> _Heard:
        old = min(self._known.get(url, 0), size)
        for _ in range(2):
            proof = self._log.consistency_proof(old, size) if old else []
            try:
                reply = asked.add_checkpoint(submission(old, proof, str(note)))
            except WitnessSilent:
                return _Heard(State.SILENT)
            if reply.status == _OK:
                self._known[url] = size
                return _heard(reply.body, note)
            if reply.status != _CONFLICT or reply.kind != SIZE_TYPE:
                return _Heard(_STATES.get(reply.status, State.REFUSED))
            try:
                old = self._known[url] = stated_size(reply.body)
            except ProofRefused:
                return _Heard(State.REFUSED)
            if old > size:
                return _Heard(State.AHEAD)
        # Somebody else shows it checkpoints too; the next round begins where it is now.
        return _Heard(State.REFUSED)

    def _verified(
        self, witness: KnownWitness, heard: _Heard, note: Note, checkpoint: Checkpoint
    ) -> Sequence[Signature]:
        """The witness's own lines on exactly our checkpoint; its standing moves with them."""
        before = self._standings[witness.name]
        answer = Note(note.text, tuple(heard.unverified))
        state, at = heard.state, before.at
        if state is State.COSIGNED:
            try:
                at = self._cosigned_at(witness, answer, checkpoint)
            except ProofRefused:
                state = State.FORGED
        if state is not before.state:
            _log.warning("witness_state", witness=before.name, state=state.value)
        good = state is State.COSIGNED
        size = checkpoint.size if good else before.size
        self._standings[witness.name] = replace(before, state=state, size=size, at=at)
        return answer.known(witness.key) if good else []

    def _cosigned_at(self, witness: KnownWitness, answer: Note, checkpoint: Checkpoint) -> datetime:
        at = checkpoint.verify_cosignature(answer, witness.key)
        if not datetime.fromtimestamp(0, UTC) < at <= self._clock.now() + _AHEAD:
            raise ProofRefused(why="a cosignature's time is none")
        return at

    def _conclude(self, asked: int, *, met: bool) -> None:
        now = self._clock.now()
        if met is not self.met or self._since is None:
            self._since = now
        self.met = met
        self._tell(
            WitnessStatus(
                met=met,
                since=self._since,
                at=now,
                asked=asked,
                witnessed=self.kept.size,
                witnesses=tuple(self._standings.values()),
            ).encode()
        )


def _shown(name: str) -> str:
    """A name of the policy, which may be any octets, as a text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _heard(body: bytes, note: Note) -> _Heard:
    try:
        return _Heard(State.COSIGNED, cosignatures(body, note).signatures)
    except ProofRefused:
        return _Heard(State.FORGED)
