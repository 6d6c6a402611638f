# SPDX-License-Identifier: Apache-2.0
"""Logging in, by password or by card, as one ceremony: prove, decide, record, open. No record, no login."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audit import Event
from core.clock import Clock
from core.errors import NotFound, TallygateError, Unauthenticated, Unavailable

from ..config import SSOSettings
from ..errors import (
    CardMissing,
    CardNotGood,
    CardRefused,
    InteractionLost,
    LoginRefused,
    PasskeyRefused,
    PolicyRefused,
    StepUpNeeded,
    UpstreamRefused,
)
from ..factors import CARD, strength
from ..models import Authentication, Handover, Interaction, LoginDecision, Session, UpstreamLink, Visitor
from ..store import Door, Patience, Store, digest
from ..store.sessions import Opening
from .browsers import Browsers
from .collaborators import Cards, DecideLogin, People, Person
from .factors import CodeRefused, Factors
from .parking import Parking
from .passkeys import Passkeys
from .records import Records

_LONGEST_PASSWORD = 1024
_HOUR = 3600
# Seconds: longer would keep a whole city from its work because of somebody who guesses.
_CLIENT_WAIT = 30


@dataclass(frozen=True, kw_only=True)
class NewSession:
    """A session just opened and the cookie value only its browser will ever hold."""

    session: Session
    cookie: str
    # By which the browser is known at its next login.
    known: str = ""


class Login:
    """The door."""

    def __init__(
        self,
        *,
        store: Store,
        people: People,
        cards: Cards,
        decide: DecideLogin,
        records: Records,
        parking: Parking,
        factors: Factors,
        passkeys: Passkeys,
        browsers: Browsers,
        settings: SSOSettings,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._people = people
        self._cards = cards
        self._decide = decide
        self._records = records
        self._parking = parking
        self._factors = factors
        self._passkeys = passkeys
        self._browsers = browsers
        self._settings = settings
        self._patience = Patience.of(settings)
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def by_password(
        self,
        username: str,
        password: str,
        code: str,
        *,
        visitor: Visitor,
        interaction: Interaction,
        cookie: str,
        known: str = "",
    ) -> NewSession:
        """Log in by LDAP bind, and by a code beside it for whoever has set that up.

        Both come in one form and are refused alike, so that a password cannot be guessed without its code.

        Raises:
            LoginRefused: unknown, disabled, wrong, or too soon after failures: never said which.
            PolicyRefused, StepUpNeeded: the policies say no, or want a card.
            Unavailable: directory, record or news of the record are out of reach.
        """
        self._fresh()
        client = _client(interaction)
        doors = self._doors(username, visitor, known, client)
        account = self._records.account(username)
        # 1. Count, durably: who cuts us off after the check has not guessed for nothing.
        if not self._store.attempts.knock(doors, self._patience, at=self._now()):
            self._failed(visitor, reason="waiting", client=client, account=account)
            raise LoginRefused
        failures = self._store.attempts.failures(doors[0]) - 1
        # 2. Record that somebody tries. While the log is down no password is checked, so none can be guessed.
        # 3. Check.
        try:
            tried = self._records.login_attempted(visitor, method="pwd", client=client, account=account)
            self._records.write(tried)
            person = self._people.authenticate(username, password[: _LONGEST_PASSWORD + 1])
        except Unavailable:
            # Nobody learnt anything: this one attempt does not count, those before it do.
            self._store.attempts.give_back(doors, self._patience)
            raise
        except TallygateError as error:
            # A name that the directory cannot even look up is wrong like any other.
            self._failed(visitor, reason="wrong", client=client, account=account)
            raise LoginRefused from error
        try:
            proof = self._factors.beside_password(person.subject, code)
        except CodeRefused as error:
            # Somebody knows the password: that is for the person's own record.
            failed = self._records.login_failed(
                visitor, method="otp", reason=error.why, client=client, subject=person.subject, account=account
            )
            self._records.write(failed)
            raise LoginRefused from error
        # 4. Decide, record, open; only what opened a session is forgiven, and with it.
        return self._open(
            _proved(person, methods=proof.methods, factor=proof.factor),
            person,
            visitor=visitor,
            interaction=interaction,
            cookie=cookie,
            doors=(*doors, *proof.doors),
            account=account,
            known=known,
            failures=failures,
        )

    def by_passkey(
        self,
        sealed: str,
        unverified: str,
        *,
        visitor: Visitor,
        interaction: Interaction,
        cookie: str,
        known: str = "",
    ) -> NewSession:
        """Log in with a key on the person's own device, which says whose it is; there is nothing to guess.

        Raises:
            PasskeyRefused: it does not count, or there were too many from this network.
            PolicyRefused, StepUpNeeded: the policies say no, or want a card.
            Unavailable: directory, record or news of the record are out of reach.
        """
        self._fresh()
        client = _client(interaction)
        door = self._network_door(visitor)
        if not self._store.attempts.knock([door], self._patience, at=self._now()):
            self._failed(visitor, reason="waiting", client=client, account="", method="passkey")
            raise PasskeyRefused
        try:
            self._records.write(self._records.login_attempted(visitor, method="passkey", client=client, account=""))
            shown = self._passkeys.proved(interaction, sealed, unverified)
            person = self._people.person(shown.passkey.subject)
        except Unavailable:
            self._store.attempts.give_back([door], self._patience)
            raise
        except (PasskeyRefused, NotFound) as error:
            self._failed(visitor, reason="wrong", client=client, account="", method="passkey")
            raise PasskeyRefused from error
        if not person.enabled:
            self._failed(visitor, reason="disabled", client=client, account="", method="passkey")
            raise PasskeyRefused
        who = _proved(person, methods=shown.methods, factor=shown.passkey.id)
        return self._open(
            who, person, visitor=visitor, interaction=interaction, cookie=cookie, doors=(door,), known=known
        )

    def by_link(
        self,
        link: UpstreamLink,
        methods: tuple[str, ...],
        *,
        population: str,
        visitor: Visitor,
        interaction: Interaction,
        cookie: str,
        known: str,
        door: Door,
    ) -> NewSession:
        """Log in whom another provider vouches for, if they may come by it.

        Raises:
            UpstreamRefused: gone, disabled, or not of those it was agreed for.
            PolicyRefused, StepUpNeeded, Unavailable: as ``by_passkey``.
        """
        client = _client(interaction)
        try:
            person = self._people.person(link.subject)
        except NotFound as error:
            self._failed(visitor, reason="unknown", client=client, account="", method="upstream")
            raise UpstreamRefused from error
        reason = "disabled" if not person.enabled else "population"
        if not person.enabled or population not in person.roles:
            self._failed(visitor, reason=reason, client=client, account="", method="upstream")
            raise UpstreamRefused
        who = _proved(person, methods=methods, factor=link.id)
        return self._open(
            who, person, visitor=visitor, interaction=interaction, cookie=cookie, doors=(door,), known=known
        )

    def card_ticket(self, interaction: Interaction) -> str:
        """Begin a card login: the ticket goes to the card host in the address, and nothing is kept of it here."""
        return self._parking.ticket(interaction)

    def card_shown(self, ticket: str, certificate_pem: bytes | None, *, visitor: Visitor) -> str:
        """At the card host: verify the certificate and return the token that goes back, which works once.

        Raises:
            InteractionLost: the ticket is used, over or was never given.
            CardMissing, CardRefused, CardNotGood: no certificate, none of a person of ours, or one withdrawn.
        """
        self._fresh()
        interaction = self._parking.of_ticket(ticket)
        if not self._store.interactions.ticket_open(interaction.ticket):
            raise InteractionLost
        try:
            who = self._by_certificate(certificate_pem)
        except CardRefused as error:
            self._records.write(self._records.login_failed(visitor, method="sc", reason=error.code, client=""))
            raise
        back = secrets.token_urlsafe(32)
        expires_at = self._now() + int(self._settings.handover_lifetime.total_seconds())
        handover = Handover(interaction=interaction, authentication=who)
        if not self._store.interactions.answer(handover, back=digest(back), expires_at=expires_at):
            raise InteractionLost
        return back

    def by_card(
        self, back: str, *, browser: str, visitor: Visitor, cookie: str, known: str = ""
    ) -> tuple[NewSession, Interaction]:
        """Back at the sign-on host: open the session; the second value is the request to go on with.

        Raises:
            InteractionLost: the token was used, is over, or belongs to another browser's interaction.
            CardNotGood: the certificate or its person was withdrawn on the way.
            PolicyRefused: the policies say no.
        """
        self._fresh()
        at = self._now()
        handover = self._store.interactions.take_back(digest(back), digest(browser), at)
        if handover is None or handover.interaction.expires_at <= at:
            raise InteractionLost
        interaction, who = handover.interaction, handover.authentication
        holder = self._holder(who.subject)
        opened = self._open(who, holder, visitor=visitor, interaction=interaction, cookie=cookie, known=known)
        return opened, interaction

    def current(self, cookie: str) -> Session | None:
        """The session a browser's cookie stands for; None if it is over or nobody used it for too long."""
        if not cookie:
            return None
        at = self._now()
        session = self._store.sessions.by_cookie(digest(cookie), at)
        if session is None or session.seen_at + int(self._settings.session_idle.total_seconds()) <= at:
            return None
        if at - session.seen_at >= _TOUCH_EVERY:
            self._store.sessions.touch(session.sid, at)
        return session

    def _by_certificate(self, certificate_pem: bytes | None) -> Authentication:
        if not certificate_pem:
            raise CardMissing
        try:
            card = self._cards.verify(certificate_pem, at=self._clock.now())
        except Unauthenticated as error:
            raise CardRefused from error
        if not self._cards.good(card.serial):
            raise CardNotGood
        return _proved(self._holder(card.subject), methods=CARD, certificate=card.serial)

    def _holder(self, subject: str) -> Person:
        try:
            person = self._people.person(subject)
        except NotFound as error:
            raise CardRefused from error
        if not person.enabled:
            raise CardRefused
        return person

    def _open(
        self,
        who: Authentication,
        person: Person,
        *,
        visitor: Visitor,
        interaction: Interaction,
        cookie: str,
        doors: Sequence[Door] = (),
        account: str = "",
        known: str = "",
        failures: int = 0,
    ) -> NewSession:
        # 1. Decide.
        client = _client(interaction)
        decision = self._decide(
            person=person, client=client, assurance=who.assurance, methods=who.methods, at=self._clock.now()
        )
        at = self._now()
        before = self._store.sessions.by_cookie(digest(cookie), at) if cookie else None
        same = before if before is not None and before.subject == who.subject else None
        sid = same.sid if same else secrets.token_urlsafe(24)
        # 2. Record the decision, either way. A crash after this leaves the record of a login that opened nothing.
        asking = self._store.clients.find(client)
        self._records.write(
            self._records.login(
                who,
                visitor,
                sid=sid,
                client=client,
                decision=decision,
                account=account,
                name_zh=person.name_zh,
                portal=asking.name if asking else "",
            )
        )
        if not decision.allowed:
            self._store.attempts.forgive(doors)
            raise _no(decision, who)
        # 3. Open under a new cookie; the old value is worth nothing from here on.
        fresh = secrets.token_urlsafe(32)
        session = self._session(who, visitor, sid=sid, cookie=fresh, same=same, at=at)
        opening = Opening(previous=digest(cookie) if cookie else "", forgiven=doors)
        if not self._store.sessions.open(session, opening, self._replaced):
            raise CardNotGood if who.certificate else PasskeyRefused if "pwd" not in who.methods else LoginRefused
        # 4. Know this browser from now on, and ask the person if it is unlike those before.
        known = known or secrets.token_urlsafe(32)
        self._browsers.logged_in(session, visitor, username=person.username, cookie=known, failures=failures)
        self._nudge()
        return NewSession(session=session, cookie=fresh, known=known)

    def _session(
        self, who: Authentication, visitor: Visitor, *, sid: str, cookie: str, same: Session | None, at: int
    ) -> Session:
        return Session(
            sid=sid,
            digest=digest(cookie),
            subject=who.subject,
            name=who.name,
            name_zh=who.name_zh,
            methods=who.methods,
            assurance=who.assurance,
            # What was joined with a card stays bound to that card, even after a later login by password.
            certificate=who.certificate or (same.certificate if same else ""),
            network=visitor.network,
            agent=visitor.agent,
            authenticated_at=at,
            created_at=same.created_at if same else at,
            seen_at=at,
            expires_at=at + int(self._settings.session_lifetime.total_seconds()),
            factor=who.factor,
            login=secrets.token_urlsafe(18),
        )

    def _doors(self, username: str, visitor: Visitor, known: str, client: str) -> tuple[Door, ...]:
        name = username.strip().casefold()
        browser = self._browsers.known(known, username)
        if browser is not None:
            # Its own door alone: whoever guesses in the same network does not keep its person waiting.
            return (Door(key=digest(f"browser\0{browser.digest}"), free=self._settings.attempts_free, forgets=True),)
        return (
            # The one door that a right password opens anew: others of the network may still be guessing.
            Door(key=digest(f"pair\0{name}\0{visitor.network}"), free=self._settings.attempts_free, forgets=True),
            self._network_door(visitor),
            self._client_door(client),
        )

    def _client_door(self, client: str) -> Door:
        """Who guesses from many networks comes by one application; each hour counts by itself, and waits are short."""
        hour = self._now() // _HOUR
        return Door(
            key=digest(f"login, client\0{client}\0{hour}"),
            free=self._settings.client_logins_free,
            forgets=False,
            patience=Patience(first=1, longest=_CLIENT_WAIT, memory=_HOUR),
        )

    def _network_door(self, visitor: Visitor) -> Door:
        return Door(key=digest(f"network\0{visitor.network}"), free=self._settings.network_free, forgets=False)

    def _failed(self, visitor: Visitor, *, reason: str, client: str, account: str, method: str = "pwd") -> None:
        failed = self._records.login_failed(visitor, method=method, reason=reason, client=client, account=account)
        self._records.write(failed)

    def _replaced(self, session: Session) -> Event:
        return self._records.session_ended(session, reason="replaced")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


# Seconds; a session's last use is not written at every page.
_TOUCH_EVERY = 60


def _proved(person: Person, *, methods: tuple[str, ...], certificate: str = "", factor: str = "") -> Authentication:
    return Authentication(
        subject=person.subject,
        name=person.name,
        name_zh=person.name_zh,
        methods=methods,
        # A person's proofing may lower what the authenticator proves.
        assurance=min(person.proofing.level, strength(methods)),
        certificate=certificate,
        factor=factor,
    )


def _no(decision: LoginDecision, who: Authentication) -> TallygateError:
    if decision.step_up is not None and not who.certificate:
        return StepUpNeeded(level=decision.step_up)
    return PolicyRefused(reasons=", ".join(decision.reasons) or decision.code or "-")


def _client(interaction: Interaction) -> str:
    return interaction.request.client_id if interaction.request else ""
