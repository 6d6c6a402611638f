# SPDX-License-Identifier: Apache-2.0
"""Passkeys: made and removed at "My account", shown at the door in place of user name and password.

What a device is asked to sign is sealed into the form that carries its answer, for one parked request or one session,
and counts once. Who may make and remove them is the same question as for every other factor.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from audit import Event
from core.clock import Clock

from ..config import SSOSettings
from ..errors import LoginTooOld, PasskeyNotMade, PasskeyRefused, SetupLost, TooManyPasskeys
from ..factors import FRESH_PASSKEY, PASSKEY
from ..factors.passkeys import (
    CHALLENGE_BYTES,
    NotProved,
    Party,
    creation_options,
    made_key,
    request_options,
    unverified_names,
    used_key,
)
from ..models import Interaction, Passkey, Session
from ..store import Store
from .factors import Factors
from .records import Records
from .seals import Broken, Seal


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a device is asked, and the seal that comes back with its answer."""

    sealed: str
    options: str


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Whose passkey answered, and what that proves."""

    passkey: Passkey
    methods: tuple[str, ...]


class Passkeys:
    """Make, use, remove."""

    def __init__(
        self,
        *,
        party: Party,
        store: Store,
        records: Records,
        factors: Factors,
        settings: SSOSettings,
        clock: Clock,
        state_key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        self._party = party
        self._store = store
        self._records = records
        self._factors = factors
        self._most = settings.passkeys_most
        self._patience = int(settings.interaction_lifetime.total_seconds())
        self._logins = Seal(state_key, "passkey login", clock=clock)
        self._setups = Seal(state_key, "passkey setup", clock=clock)
        self._clock = clock
        self._fresh = fresh
        self._nudge = nudge

    def asked(self, interaction: Interaction) -> Question:
        """What the login page asks of any passkey of this host."""
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        sealed = self._sealed(self._logins, challenge, interaction.id, interaction.expires_at)
        return Question(sealed=sealed, options=request_options(self._party, challenge=challenge))

    def proved(self, interaction: Interaction, sealed: str, unverified: str) -> Shown:
        """Whose passkey signed what this request's page asked; the question is answered with it.

        Raises:
            PasskeyRefused: for every reason alike; a copied key, whose count did not rise, too.
        """
        try:
            challenge, number, until = self._opened(self._logins, sealed, interaction.id)
            name, handle = unverified_names(unverified)
            passkey = self._store.passkeys.by_credential(name)
            if passkey is None or handle != passkey.subject:
                raise PasskeyRefused
            uses = used_key(
                unverified,
                party=self._party,
                challenge=challenge,
                public_key=passkey.public_key,
                count=passkey.uses,
            )
        except (NotProved, SetupLost) as error:
            raise PasskeyRefused from error
        at = self._now()
        if not self._store.challenges.consume(number, until) or not self._store.passkeys.count_up(passkey, uses, at):
            raise PasskeyRefused
        return Shown(passkey=passkey, methods=PASSKEY if passkey.counts_from <= at else FRESH_PASSKEY)

    def offered(self, session: Session) -> Question | None:
        """What a device is asked to make for this session's person; None if this login may not change anything."""
        if not self._factors.may_change(session):
            return None
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        options = creation_options(
            self._party,
            challenge=challenge,
            subject=session.subject,
            name=session.name or session.subject,
            known=[each.credential for each in self._store.passkeys.of(session.subject)],
        )
        sealed = self._sealed(self._setups, challenge, session.digest, self._now() + self._patience)
        return Question(sealed=sealed, options=options)

    def add(self, session: Session, sealed: str, unverified: str, *, name: str) -> None:
        """Keep the key that a device made for this session.

        Raises:
            LoginTooOld: see ``LoginTooOld``.
            SetupLost: it was begun in another session or too long ago, or was finished already.
            PasskeyNotMade: the answer is no new key of a device that knows its holder.
            TooManyPasskeys: there is no room.
        """
        if not self._factors.may_change(session):
            raise LoginTooOld
        challenge, number, until = self._opened(self._setups, sealed, session.digest)
        try:
            made = made_key(unverified, party=self._party, challenge=challenge)
        except NotProved as error:
            raise PasskeyNotMade from error
        if not self._store.challenges.consume(number, until):
            raise SetupLost
        self._fresh()
        self._records.write(self._records.factor("sso.factor.intended", session, factor="passkey"))
        passkey = Passkey(
            id=secrets.token_urlsafe(18),
            subject=session.subject,
            credential=made.credential,
            public_key=made.public_key,
            uses=made.count,
            name=name,
            synced=made.synced,
            created_at=self._now(),
            counts_from=self._factors.counts_from(session),
        )
        outcome = self._records.factor(
            "sso.factor.enrolled", session, factor="passkey", counts_from=passkey.counts_from
        )
        if not self._store.passkeys.add(passkey, outcome, most=self._most):
            raise TooManyPasskeys
        self._nudge()

    def remove(self, session: Session, identifier: str) -> None:
        """Take one away, with every other session that was opened with it; nothing, if there is no such one.

        Raises:
            LoginTooOld: see ``LoginTooOld``.
        """
        if not self._factors.may_change(session):
            raise LoginTooOld
        record = self._records.factor("sso.factor.removed", session, factor="passkey")
        self._store.passkeys.remove(session.subject, identifier, self._now(), record, self._ended, but=session.sid)
        self._nudge()

    def _sealed(self, seal: Seal, challenge: bytes, whose: str, until: int) -> str:
        return seal.close(
            json.dumps({"challenge": challenge.hex(), "for": whose, "id": secrets.token_urlsafe(18), "until": until})
        )

    def _opened(self, seal: Seal, sealed: str, whose: str) -> tuple[bytes, str, int]:
        try:
            said = json.loads(seal.open(sealed))
        except Broken as error:
            raise SetupLost from error
        if not secrets.compare_digest(said["for"], whose) or said["until"] <= self._now():
            raise SetupLost
        return bytes.fromhex(said["challenge"]), said["id"], said["until"]

    def _ended(self, session: Session) -> Event:
        return self._records.session_ended(session, reason="its passkey was removed")

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
