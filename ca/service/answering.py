# SPDX-License-Identifier: Apache-2.0
"""OCSP: signed on the spot where a nonce or several certificates are asked, else made once and given to everybody.

An answer made beforehand is a file, which the proxy serves without asking here. It is made when it is first asked for,
kept fresh from then on, and gone before a change of standing is acknowledged. Whoever writes one looks at the tables
again afterwards, and whoever changes a standing takes it away before and after the commit: in whatever order the two
meet, no "good" is left behind. What a process that died between the two could leave, the next look at recent changes
takes away.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from core.clock import Clock
from core.errors import Unavailable
from core.log import logger

from ..config import CASettings
from ..errors import NoSuchIssuer
from ..models import Standing, serial_hex
from ..signer import Signer
from ..store import AnswerFolder, Store, StoredStanding, place_of
from ..x509.answers import (
    MALFORMED,
    PRESIGNED,
    TRY_LATER,
    UNAUTHORIZED,
    AnswerDraft,
    Identifiers,
    Question,
    Request,
    Said,
    read_request,
    told_about,
    unsuccessful,
)
from ..x509.lists import Withdrawn

_log = logger(__name__)

OVERLAP = timedelta(seconds=5)
"""Recent changes are looked at again for so long: of two transactions, the one that began first may end last."""

_TRIES = 3
_SETTLED = frozenset({Standing.GOOD, Standing.SUSPENDED, Standing.REVOKED})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An OCSP response; who asked alone may have it unless ``shared``."""

    der: bytes
    made: datetime | None = None
    until: datetime | None = None
    shared: bool = False


class Answering:
    """Answers for the issuers it is given."""

    def __init__(
        self,
        *,
        store: Store,
        signer: Signer,
        clock: Clock,
        issuers: Mapping[str, x509.Certificate],
        settings: CASettings,
        files: AnswerFolder,
        ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._settings = settings
        self._files = files
        self._ready = ready
        self.know(issuers)
        self._looked: datetime | None = None

    def know(self, issuers: Mapping[str, x509.Certificate]) -> None:
        """Answer for these from now on."""
        self._identifiers = {name: Identifiers(certificate) for name, certificate in issuers.items()}

    def answer(self, issuer: str, unverified: bytes) -> Answer:
        """Answer one request; whatever cannot be read is answered "malformed request".

        While the tables may be older than the record, everything else is answered "try later".

        Raises:
            NoSuchIssuer: there is none.
        """
        own = self._identifiers.get(issuer)
        if own is None:
            raise NoSuchIssuer
        request = read_request(unverified)
        if request is None:
            return Answer(der=unsuccessful(MALFORMED))
        if not any(own.match(each) for each in request.questions):
            return Answer(der=unsuccessful(UNAUTHORIZED))
        try:
            self._ready()
        except Unavailable:
            return Answer(der=unsuccessful(TRY_LATER))
        question = request.questions[0]
        if request.nonce is None and len(request.questions) == 1 and question.hashed in PRESIGNED:
            plain = own.question(question.serial, question.hashed)
            if plain.encoded == question.encoded:
                return self._beforehand(issuer, question)
        return self._live(issuer, own, request)

    def withdraw(self, issuer: str, serial: str) -> None:
        """Take away what was made beforehand about a serial; a disk that refuses is tried again soon."""
        for question in self._plain(issuer, serial):
            try:
                self._files.drop(issuer, question)
            except OSError:
                _log.critical("answer_not_withdrawn", serial=serial, exc_info=True)

    def look(self) -> int:
        """Take away every answer older than its certificate's last change; returns how many.

        The first look goes back as long as an answer lasts, later ones to the one before.
        """
        now = self._clock.now()
        since = now - self._settings.ocsp_lifetime if self._looked is None else self._looked - OVERLAP
        gone = 0
        for serial, issuer, at in self._store.changed_since(since):
            for question in self._plain(issuer, serial):
                found = self._files.read(issuer, question)
                # In the second of the change, either may have been first.
                if found and found[1].timestamp() <= at:
                    self._files.drop(issuer, question)
                    gone += 1
        self._looked = now
        return gone

    def renew(self) -> int:
        """Make anew every answer past half its life, and drop those of expired certificates; returns how many."""
        half, renewed = self._settings.ocsp_lifetime / 2, 0
        for issuer in self._identifiers:
            for place, der in self._files.each(issuer, until=self._clock.now() - half):
                question = self._kept(issuer, place, der)
                if question is not None:
                    self._make(issuer, question)
                    renewed += 1
        return renewed

    def _kept(self, issuer: str, place: Path, der: bytes) -> Question | None:
        """What an answer made beforehand is about; None for what nobody put there as one."""
        serial, hashed = told_about(der) or (0, "")
        if hashed not in PRESIGNED:
            return None
        question = self._identifiers[issuer].question(serial, hashed)
        return question if place == place_of(question) else None

    def _plain(self, issuer: str, serial: str) -> list[Question]:
        """The questions about a serial that answers are made for beforehand."""
        own = self._identifiers.get(issuer)
        return [own.question(int(serial, 16), hashed) for hashed in PRESIGNED] if own else []

    def _beforehand(self, issuer: str, question: Question) -> Answer:
        found = self._files.read(issuer, question)
        if found and self._clock.now() < found[1] + self._settings.ocsp_lifetime / 2:
            return Answer(der=found[0], made=found[1], until=found[1] + self._settings.ocsp_lifetime, shared=True)
        return self._make(issuer, question)

    def _make(self, issuer: str, question: Question) -> Answer:
        """Sign, and keep what will be asked again; what is no certificate's serial is answered and not kept."""
        stored = self._find(issuer, question)
        for _ in range(_TRIES):
            answer = self._sign(issuer, [_said(question, stored)], nonce=None)
            if answer.made is None or not self._worth_keeping(stored):
                with suppress(OSError):
                    self._files.drop(issuer, question)
                return answer
            try:
                self._files.write(issuer, question, answer.der, at=answer.made)
            except OSError:
                # A full disk makes answers slower, not fewer.
                _log.error("answer_not_kept", exc_info=True)
                return answer
            again = self._find(issuer, question)
            if again == stored:
                return answer
            stored = again
            self._files.drop(issuer, question)
        return self._sign(issuer, [_said(question, stored)], nonce=None)

    def _worth_keeping(self, stored: StoredStanding | None) -> bool:
        return stored is not None and stored.standing in _SETTLED and stored.not_after >= self._clock.now()

    def _live(self, issuer: str, own: Identifiers, request: Request) -> Answer:
        said = [_said(each, self._find(issuer, each) if own.match(each) else None) for each in request.questions]
        answer = self._sign(issuer, said, nonce=request.nonce)
        return Answer(der=answer.der, made=answer.made, until=answer.until)

    def _sign(self, issuer: str, said: list[Said], *, nonce: bytes | None) -> Answer:
        at = self._clock.now().replace(microsecond=0)
        until = at + self._settings.ocsp_lifetime
        responder = self._signer.responder(issuer).certificate
        draft = AnswerDraft(responder=responder, said=said, at=at, until=until, nonce=nonce)
        return Answer(der=self._signer.answer(draft, issuer=issuer), made=at, until=until, shared=True)

    def _find(self, issuer: str, question: Question) -> StoredStanding | None:
        found = self._store.standing(serial_hex(question.serial))
        return found if found and found.issuer == issuer else None


def _said(question: Question, stored: StoredStanding | None) -> Said:
    if stored is None:
        return Said(question=question, standing=Standing.UNKNOWN)
    withdrawn = None
    if stored.changed is not None:
        withdrawn = Withdrawn(serial=question.serial, standing=stored.standing, at=stored.changed, reason=stored.reason)
    return Said(question=question, standing=stored.standing, withdrawn=withdrawn)
