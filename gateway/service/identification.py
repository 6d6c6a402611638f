# SPDX-License-Identifier: Apache-2.0
"""Who is asking: exactly one credential, checked against what the record took away and what the directory says now."""

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

from ca import CertificateRefused, CertificateStatus, NoSuchCertificate, StatusUnknown, VerifiedCertificate
from core.clock import Clock
from core.errors import NotFound
from core.proofs import Asked
from directory import Person

from ..config import Route
from ..errors import Reason, Refused, TokenRefused
from ..models import NOBODY, Caller, ProgramToken, Session, Target, Token
from ..request import Credentials, matches
from ..store import Kind, Store
from ..tokens import KeySet, access_token, holds, program_token, serial_of, unverified_audience
from .news import News, mandate_name
from .people import People
from .resources import audiences
from .uses import Uses

TOUCH_EVERY = timedelta(seconds=30)
"""How exactly the time of last use is kept; every keeping is a write."""
PROGRAM_ASSURANCE = 2
"""How sure we are of a program whose token is bound: it holds a key, and nobody was looked in the face."""
REREAD_EVERY = 1.0
"""Seconds between looks at the key file: a new key is known, and one that was withdrawn is in no token's favour."""
CARD = ("sc",)
"""How somebody is known who shows a card, as the sign-on says it (RFC 8176)."""
CARD_ASSURANCE = 3
_MOST_CALLERS = 16_384


class StatusSource(Protocol):
    """The part of the authority that decisions ask."""

    def status(self, serial: str, *, authority: str) -> CertificateStatus:
        """What one serial of an authority is worth now."""
        ...


class Verifier(Protocol):
    """The site's root and authorities, as decisions use them."""

    def verify(
        self, unverified_pem: bytes, *, purpose: Literal["person", "device", "organisation"], at: datetime
    ) -> VerifiedCertificate:
        """Check chain, dates and purpose; raises CertificateRefused."""
        ...


class KeyFile:
    """The sign-on's published keys, as they lie in the file at most a second ago."""

    def __init__(self, path: Path, *, clock: Clock, newer: Path | None = None) -> None:
        """``path`` is what an operator published; ``newer`` what a running sign-on keeps, which comes first."""
        self._path = path
        self._newer = newer
        self._clock = clock
        self._lock = threading.Lock()
        self._keys = KeySet({})
        self._content = b""
        # Whether a running sign-on's file was seen.
        self._kept = False
        self._read_at = -REREAD_EVERY

    def keys(self) -> KeySet:
        """The keys.

        Raises:
            OSError: unreadable.
            ValueError: not a key set.
        """
        with self._lock:
            now = self._clock.monotonic()
            if now - self._read_at >= REREAD_EVERY:
                content = self._read()
                if content != self._content:
                    self._keys, self._content = KeySet.read(content), content
                self._read_at = now
            return self._keys

    def _read(self) -> bytes:
        if self._newer is not None:
            with suppress(FileNotFoundError):
                content = self._newer.read_bytes()
                self._kept = True
                return content
            if self._kept:
                # The sign-on is being started anew; what it published before has not been taken back.
                return self._content
        return self._path.read_bytes()


@dataclass(frozen=True, kw_only=True)
class Lifetimes:
    """How long a session may last, and how long it may lie idle."""

    absolute: timedelta
    idle: timedelta


class Identification:
    """Turns a credential into a caller, or refuses."""

    def __init__(
        self,
        *,
        store: Store,
        uses: Uses,
        news: News,
        people: People,
        keys: KeyFile,
        verifier: Verifier,
        status: StatusSource,
        issuer: str,
        lifetimes: Lifetimes,
    ) -> None:
        self._store = store
        self._uses = uses
        self._news = news
        self._people = people
        self._keys = keys
        self._verifier = verifier
        self._status = status
        self._issuer = issuer
        self._lifetimes = lifetimes
        # By digest of the cookie: what a caller was made of, by which person, and on which day.
        self._callers: dict[str, tuple[tuple[object, ...], Person, date, Caller]] = {}

    def identify(
        self,
        given: Credentials,
        *,
        route: Route,
        target: Target,
        host: str,
        listener: str,
        audience: str,
        origin: str,
        at: datetime,
        at_once: bool = False,
    ) -> Caller:
        """Say who it is; nobody if nothing was presented.

        With ``at_once`` a session's owner is one who is in memory.

        Raises:
            Refused: the credential is not taken here, forged, stale, or was taken away.
            Unavailable: somebody who must be asked does not answer.
            WouldWait: somebody would have to be asked ``at_once``.
        """
        if given.unverified_session:
            return self.session(given.unverified_session, host=host, listener=listener, at=at, at_once=at_once)
        if given.unverified_token:
            asked = Asked(
                method=target.method, url=origin + _path(target), at=int(at.timestamp()), token=given.unverified_token
            )
            for pattern, scope in route.programs.items():
                if matches(target.path, (pattern,)):
                    return self._program(given, asked, audience=audience, scope=scope, at=at)
            if not matches(target.path, route.api):
                raise Refused(Reason.CREDENTIAL)
            return self._token(given, asked, allowed=audiences(route, audience, target.path), at=at)
        if given.unverified_certificate:
            if not matches(target.path, route.device):
                raise Refused(Reason.CREDENTIAL)
            return self._device(given.unverified_certificate, at=at)
        return NOBODY

    def session(self, unverified: str, *, host: str, listener: str, at: datetime, at_once: bool = False) -> Caller:
        """The person a session cookie belongs to.

        Raises:
            Refused: there is no such session at this host and listener, or it is over.
        """
        found = self._store.session(digest(unverified))
        if found is None or found.host != host or found.listener != listener or self._over(found, at):
            raise Refused(Reason.LOGIN)
        ties: tuple[tuple[Kind, str], ...] = ((Kind.SESSION, found.session), (Kind.SUBJECT, found.subject))
        if found.mandate:
            ties = (*ties, *_of_mandate(found.subject, found.mandate))
        if self._news.taken(*ties) or (found.mandate and at.timestamp() >= found.mandate_ends):
            raise Refused(Reason.LOGIN)
        if at - found.seen >= TOUCH_EVERY:
            self._uses.note(found.digest, at=at)
        if at_once:
            return self._again(found, ties, at)
        until = min(found.opened + self._lifetimes.absolute, max(found.seen, at) + self._lifetimes.idle)
        if found.mandate:
            until = min(until, datetime.fromtimestamp(found.mandate_ends, UTC))
        return self._owner(found, ties, at, until=until)

    def read(self, subject: str) -> None:
        """Ask about a person, so that whoever asks ``at_once`` after that need not wait.

        Raises:
            NotFound: there is none.
            Unavailable: nobody knows.
        """
        self._people.person(subject)

    def _again(self, found: Session, ties: tuple[tuple[Kind, str], ...], at: datetime) -> Caller:
        """The owner of a session, for a request that keeps nothing open: the very same as before if nothing changed.

        Raises:
            WouldWait: the person is not in memory.
        """
        person, day = self._people.person(found.subject, at_once=True), at.date()
        # When it was used last changes nothing.
        said = found.session, found.acr, found.methods, found.mandate
        known = self._callers.get(found.digest)
        if known is not None and known[0] == said and (known[1] is person or known[1] == person) and known[2] == day:
            return known[3]
        caller = self._owner(found, ties, at, person=person)
        if len(self._callers) >= _MOST_CALLERS:
            self._callers.clear()
        self._callers[found.digest] = said, person, day, caller
        return caller

    def _owner(
        self,
        found: Session,
        ties: tuple[tuple[Kind, str], ...],
        at: datetime,
        *,
        until: datetime | None = None,
        person: Person | None = None,
    ) -> Caller:
        return self._person(
            found.subject,
            session=found.session,
            acr=found.acr,
            methods=found.methods,
            credential="session",
            mandate=found.mandate,
            at=at,
            ties=ties,
            until=until,
            person=person,
        )

    def _program(self, given: Credentials, asked: Asked, *, audience: str, scope: str, at: datetime) -> Caller:
        unverified = given.unverified_token
        try:
            keys = self._keys.keys()
            token = program_token(unverified, keys, audience=audience, issuer=self._issuer, scope=scope, at=at)
        except TokenRefused as error:
            raise Refused(Reason.CREDENTIAL) from error
        self._held(given, token, asked)
        # Whoever removes a client ends each of its grants.
        ties = ((Kind.GRANT, token.grant), (Kind.TOKEN, token.identifier), *_of_certificate(token, given))
        if self._news.taken(*ties):
            raise Refused(Reason.CREDENTIAL)
        return Caller(
            kind="client",
            subject=token.client,
            name=token.client,
            credential="token",
            client=token.client,
            enabled=True,
            assurance=PROGRAM_ASSURANCE,
            ties=ties,
            until=datetime.fromtimestamp(token.expires_at, UTC),
        )

    def _held(self, given: Credentials, token: Token | ProgramToken, asked: Asked) -> None:
        """See that whoever presents a token holds what it is bound to."""
        try:
            proof = holds(
                token,
                bound=given.bound,
                unverified_proof=given.unverified_proof,
                unverified_certificate=given.unverified_certificate,
                asked=asked,
            )
        except TokenRefused as error:
            raise Refused(Reason.CREDENTIAL) from error
        # A proof that somebody overheard has come before.
        if proof is not None and not self._store.take_proof(proof.identifier, until=proof.expires_at):
            raise Refused(Reason.CREDENTIAL)

    def _token(self, given: Credentials, asked: Asked, *, allowed: Sequence[str], at: datetime) -> Caller:
        unverified = given.unverified_token
        try:
            keys = self._keys.keys()
            said = unverified_audience(unverified) if len(allowed) > 1 else None
            audience = next((each for each in allowed if each == said), allowed[0])
            token = access_token(unverified, keys, audience=audience, issuer=self._issuer, at=at)
        except TokenRefused as error:
            raise Refused(Reason.CREDENTIAL) from error
        self._held(given, token, asked)
        ties: tuple[tuple[Kind, str], ...] = (
            (Kind.SESSION, token.session),
            (Kind.SUBJECT, token.subject),
            (Kind.GRANT, token.grant),
            (Kind.TOKEN, token.identifier),
        )
        ties = (*ties, *_of_mandate(token.subject, token.mandate), *_of_certificate(token, given))
        if self._news.taken(*ties):
            raise Refused(Reason.CREDENTIAL)
        return self._person(
            token.subject,
            session=token.session,
            acr=token.acr,
            methods=token.methods,
            credential="token",
            client=token.client,
            mandate=token.mandate,
            at=at,
            ties=ties,
            until=datetime.fromtimestamp(token.expires_at, UTC),
        )

    def _person(
        self,
        subject: str,
        *,
        session: str,
        acr: int,
        methods: tuple[str, ...],
        credential: str,
        at: datetime,
        client: str = "",
        mandate: str = "",
        ties: tuple[tuple[Kind, str], ...] = (),
        until: datetime | None = None,
        person: Person | None = None,
    ) -> Caller:
        try:
            person = person or self._people.person(subject)
        except NotFound as error:
            raise Refused(Reason.DISABLED) from error
        return Caller(
            kind="person",
            subject=subject,
            name=person.name,
            name_zh=person.name_zh,
            session=session,
            credential=credential,
            client=client,
            roles=person.roles,
            organisation=person.organisation,
            mandates=_mandates(
                person, mandate, at, over=Reason.LOGIN if credential == "session" else Reason.CREDENTIAL
            ),
            mandate=mandate,
            enabled=person.enabled,
            proofing=person.proofing.level,
            assurance=min(acr, person.proofing.level),
            methods=methods,
            clearance=person.clearance,
            ties=ties,
            until=until,
        )

    def device(self, unverified: bytes, *, at: datetime) -> Caller:
        """Whose certificate this is, after chain, status and the directory were asked.

        Raises:
            Refused: it is none of a device that may do anything.
            Unavailable: the authority or the directory does not answer.
        """
        return self._device(unverified, at=at)

    def leaving(self, given: Credentials, *, audience: str, target: str, at: datetime) -> Caller:
        """Whoever asks for a way out: by a token that is bound, or by a person's or a device's certificate.

        Raises:
            Refused: as ``identify``, and for a token that anybody could have found.
            Unavailable: somebody who must be asked does not answer.
        """
        if given.unverified_token:
            if not given.bound and not given.unverified_certificate:
                raise Refused(Reason.CREDENTIAL)
            asked = Asked(method="CONNECT", url=target, at=int(at.timestamp()), token=given.unverified_token)
            return self._token(given, asked, allowed=(audience,), at=at)
        if not given.unverified_certificate:
            raise Refused(Reason.LOGIN)
        try:
            certificate = self._verifier.verify(given.unverified_certificate, purpose="person", at=at)
        except CertificateRefused:
            return self._device(given.unverified_certificate, at=at)
        ties = (Kind.CERTIFICATE, certificate.serial), (Kind.SUBJECT, certificate.subject)
        self._standing(certificate, ties)
        return self._person(
            certificate.subject,
            session="",
            acr=CARD_ASSURANCE,
            methods=CARD,
            credential="certificate",
            at=at,
            ties=ties,
            until=certificate.not_after,
        )

    def _standing(self, certificate: VerifiedCertificate, names: tuple[tuple[Kind, str], ...]) -> None:
        if self._news.taken(*names):
            raise Refused(Reason.DISABLED)
        self._ask_status(certificate)
        # The news may have come between question and answer; the answer was then already old.
        if self._news.taken(*names):
            raise Refused(Reason.DISABLED)

    def _device(self, unverified: bytes, *, at: datetime) -> Caller:
        try:
            certificate = self._verifier.verify(unverified, purpose="device", at=at)
        except CertificateRefused as error:
            raise Refused(Reason.CREDENTIAL) from error
        names = (Kind.CERTIFICATE, certificate.serial), (Kind.DEVICE, certificate.subject)
        self._standing(certificate, names)
        try:
            device = self._people.device(certificate.subject)
        except NotFound as error:
            raise Refused(Reason.DISABLED) from error
        return Caller(
            kind="device",
            subject=device.id,
            name=device.name,
            credential="certificate",
            organisation=device.organisation,
            enabled=device.enabled,
            device_state=str(device.state),
            ties=names,
            until=certificate.not_after,
        )

    def _ask_status(self, certificate: VerifiedCertificate) -> None:
        try:
            good = self._status.status(certificate.serial, authority=certificate.authority).good
        except NoSuchCertificate as error:
            raise Refused(Reason.CREDENTIAL) from error
        except StatusUnknown as error:
            raise Refused(Reason.STATUS) from error
        if not good:
            raise Refused(Reason.DISABLED)

    def _over(self, session: Session, at: datetime) -> bool:
        return at - session.opened >= self._lifetimes.absolute or at - session.seen >= self._lifetimes.idle


def _of_certificate(token: Token | ProgramToken, given: Credentials) -> tuple[tuple[Kind, str], ...]:
    """What a token that works with one certificate alone hangs on; that it is this one was seen before."""
    return ((Kind.CERTIFICATE, serial_of(given.unverified_certificate)),) if token.x5t else ()


def _of_mandate(subject: str, mandate: str) -> tuple[tuple[Kind, str], ...]:
    """What acting for a person hangs on: it is over with the mandate's withdrawal, and with whom it is for."""
    kind, _, rest = mandate.partition(":")
    if kind != "person":
        return ()
    return (Kind.MANDATE, mandate_name(subject, mandate)), (Kind.SUBJECT, rest.partition(":")[0])


def _mandates(person: Person, acting: str, at: datetime, *, over: Reason) -> frozenset[str]:
    """The organisations a person may act for now; of whoever acts for somebody, that organisation alone.

    That somebody may act for another person only the sign-on knows; its news end the token or session.

    Raises:
        Refused: the mandate a token or session was given under is over, for the reason ``over``.
    """
    held = {(each.organisation, each.scope) for each in person.mandates if each.until >= at.date()}
    if not acting:
        return frozenset(organisation for organisation, _ in held)
    kind, identifier, service = acting.split(":")
    if kind == "person":
        return frozenset()
    if (identifier, service) not in held:
        raise Refused(over)
    return frozenset({identifier})


def _path(target: Target) -> str:
    """The path as it was sent, which is what a proof speaks of."""
    return target.raw.partition("?")[0]


def digest(cookie: str) -> str:
    """What is kept of a cookie: 32 random bytes need no slow hash."""
    return hashlib.sha256(cookie.encode()).hexdigest()
