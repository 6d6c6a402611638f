# SPDX-License-Identifier: Apache-2.0
"""Step-up: proving what is missing, and no more, beside a login that is there already.

The session goes on, surer and under a new cookie. Nothing of this is a login: when and by what somebody logged in stays
as it was, so neither ``prompt=login`` nor ``max_age`` nor a change at "My account" is content with it. Whoever shows a
card logs in anew, by the way of all cards.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from core.clock import Clock
from core.errors import NotFound, Unavailable

from ..config import SSOSettings
from ..errors import CodeNotEnough, InteractionLost, PasskeyRefused, PolicyRefused, StepUpNeeded
from ..factors import PASSKEY, PASSWORD_AND_CODE, strength
from ..models import Interaction, LoginDecision, Session, Visitor
from ..store import Door, Patience, Store, digest
from .collaborators import DecideLogin, People, Person
from .factors import CodeRefused, Factors, Proof
from .login import NewSession
from .passkeys import Passkeys
from .records import Records

_TWO = 2


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What somebody who is logged in could prove beside it, to be as sure as a service asks."""

    level: int
    session: Session
    # How surely the registrar knows them; if that is not enough, no proof is.
    proofing: int
    code: bool
    passkey: bool

    @property
    def known_too_little(self) -> bool:
        """Whether only the registration desk can help."""
        return self.proofing < self.level

    @property
    def nothing_set_up(self) -> bool:
        """Whether two factors would do and there is no second one that counts."""
        return self.level == _TWO and not self.code and not self.passkey


class Raising:
    """Code, or passkey."""

    def __init__(
        self,
        *,
        store: Store,
        people: People,
        decide: DecideLogin,
        records: Records,
        factors: Factors,
        passkeys: Passkeys,
        settings: SSOSettings,
        clock: Clock,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._people = people
        self._decide = decide
        self._records = records
        self._factors = factors
        self._passkeys = passkeys
        self._network_free = settings.network_free
        self._patience = Patience.of(settings)
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def missing(self, session: Session, level: int) -> Missing:
        """What would be enough, for the page that asks for it."""
        two = level <= _TWO and strength(session.methods) < _TWO
        held = self._factors.beside(session.subject) if two else frozenset()
        return Missing(
            level=level,
            session=session,
            proofing=self._holder(session).proofing.level,
            code="code" in held and "pwd" in session.methods,
            passkey="passkey" in held,
        )

    def by_code(self, code: str, *, session: Session, visitor: Visitor, interaction: Interaction) -> NewSession:
        """A code beside the password that opened this session.

        Raises:
            CodeNotEnough: it does not count, or there were too many; never said which.
            PolicyRefused, StepUpNeeded: the policies say no, or want a card.
            InteractionLost: the session ended, or another page was faster.
            Unavailable: directory, record or news of the record are out of reach.
        """
        self._fresh()
        client = _client(interaction)
        # While the log is down nothing is checked, so nothing can be guessed.
        self._records.write(self._records.login_attempted(visitor, method="otp", client=client, account=""))
        try:
            proof = self._code(session, code)
        except CodeRefused as error:
            self._failed(session, visitor, method="otp", reason=error.why, client=client)
            raise CodeNotEnough from error
        return self._raise(
            session, PASSWORD_AND_CODE, proof.factor, visitor=visitor, interaction=interaction, doors=proof.doors
        )

    def by_passkey(
        self, sealed: str, unverified: str, *, session: Session, visitor: Visitor, interaction: Interaction
    ) -> NewSession:
        """A passkey of this session's own person.

        Raises:
            PasskeyRefused: it does not count, is somebody else's, or there were too many from this network.
            PolicyRefused, StepUpNeeded, InteractionLost, Unavailable: as ``by_code``.
        """
        self._fresh()
        client = _client(interaction)
        door = Door(key=digest(f"network\0{visitor.network}"), free=self._network_free, forgets=False)
        if not self._store.attempts.knock([door], self._patience, at=self._now()):
            self._failed(session, visitor, method="passkey", reason="waiting", client=client)
            raise PasskeyRefused
        try:
            self._records.write(self._records.login_attempted(visitor, method="passkey", client=client, account=""))
            shown = self._passkeys.proved(interaction, sealed, unverified)
        except Unavailable:
            self._store.attempts.give_back([door], self._patience)
            raise
        except PasskeyRefused:
            self._failed(session, visitor, method="passkey", reason="wrong", client=client)
            raise
        if shown.passkey.subject != session.subject or strength(shown.methods) < _TWO:
            self._failed(session, visitor, method="passkey", reason="not in force", client=client)
            raise PasskeyRefused
        return self._raise(session, PASSKEY, shown.passkey.id, visitor=visitor, interaction=interaction, doors=(door,))

    def _code(self, session: Session, code: str) -> Proof:
        if "pwd" not in session.methods or not code.split():
            raise CodeRefused("missing")
        proof = self._factors.beside_password(session.subject, code)
        if strength(proof.methods) < _TWO:
            raise CodeRefused("not in force")
        return proof

    def _raise(
        self,
        session: Session,
        proved: tuple[str, ...],
        factor: str,
        *,
        visitor: Visitor,
        interaction: Interaction,
        doors: Sequence[Door],
    ) -> NewSession:
        # 1. Decide, as at every login, on what the session would then prove.
        person = self._holder(session)
        methods = tuple(dict.fromkeys((*session.methods, *proved)))
        assurance = min(person.proofing.level, strength(methods))
        client = _client(interaction)
        decision = self._decide(
            person=person, client=client, assurance=assurance, methods=methods, at=self._clock.now()
        )
        cookie = secrets.token_urlsafe(32)
        raised = replace(session, digest=digest(cookie), methods=methods, assurance=assurance, factor=factor)
        # 2. Record it, either way. A crash after this leaves the record of a proof that made nothing surer.
        self._records.write(self._records.session_raised(raised, visitor, client=client, decision=decision))
        if not decision.allowed:
            self._store.attempts.forgive(doors)
            raise _no(decision)
        # 3. Go on under a new cookie, if the session is still what it was.
        if not self._store.sessions.raised(raised, previous=session.digest, forgiven=doors, at=self._now()):
            raise InteractionLost
        self._nudge()
        return NewSession(session=raised, cookie=cookie)

    def _holder(self, session: Session) -> Person:
        try:
            person = self._people.person(session.subject)
        except NotFound as error:
            raise InteractionLost from error
        if not person.enabled:
            raise InteractionLost
        return person

    def _failed(self, session: Session, visitor: Visitor, *, method: str, reason: str, client: str) -> None:
        # Somebody holds this session: that is for its person's own record.
        failed = self._records.login_failed(
            visitor, method=method, reason=reason, client=client, subject=session.subject
        )
        self._records.write(failed)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


def _no(decision: LoginDecision) -> PolicyRefused | StepUpNeeded:
    if decision.step_up is not None:
        return StepUpNeeded(level=decision.step_up)
    return PolicyRefused(reasons=", ".join(decision.reasons) or decision.code or "-")


def _client(interaction: Interaction) -> str:
    return interaction.request.client_id if interaction.request else ""
