# SPDX-License-Identifier: Apache-2.0
"""Tables ``credentials``, ``consents``, ``remote_signings`` and their outbox: rows in, models out.

What makes a consent count once is here: spending it, remembering its token and intending its signatures is one
transaction, and each of the three can happen once only.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Column, Connection, LargeBinary, MetaData, String, Table, Text, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from audit import Event
from core.db import Database, Drain, Outbox, migrate

from ..holds import Algorithm, HeldKey
from .errors import ConsentLost, ConsentUsed, EnrolledAlready, NotEnrolled
from .models import Asked, Consent, Credential, RemoteSigning, Stage

_METADATA = MetaData()
_CREDENTIALS = Table(
    "credentials",
    _METADATA,
    Column("id", String(32), primary_key=True),
    Column("subject", String(64)),
    Column("serial", String(40)),
    Column("certificate", Text),
    Column("chain", Text),
    Column("key", String(64)),
    Column("algorithm", String(16)),
    Column("public", LargeBinary),
    Column("hold", String(16)),
    Column("state", String(16)),
    Column("name", String(200)),
    Column("name_zh", String(200)),
    Column("made_at", String(40)),
)
_CONSENTS = Table(
    "consents",
    _METADATA,
    Column("state", String(64), primary_key=True),
    Column("subject", String(64)),
    Column("browser", String(64)),
    Column("credential", String(32)),
    # Names and hashes of the documents and the code's verifier, sealed.
    Column("asked", Text),
    Column("asked_at", String(40)),
    Column("expires_at", String(40)),
    Column("stage", String(16)),
    # Digest of the token's number once it was used; no two consents have the same.
    Column("token", String(64), unique=True),
)
_SIGNINGS = Table(
    "remote_signings",
    _METADATA,
    Column("key", String(32), primary_key=True),
    Column("consent", String(64)),
    Column("subject", String(64)),
    Column("document", String(32)),
    Column("commitment", String(64)),
    Column("serial", String(40)),
    Column("state", String(16)),
    # The signed document on the shelf; empty before there is one.
    Column("result", String(32)),
    Column("at", String(40)),
)
_OUTBOX = Outbox(_METADATA)
MIGRATIONS = Path(__file__).parent / "migrations"
_ACTIVE, _OVER = "active", "ended"
_INTENDED, _MADE, _FAILED = "intended", "made", "failed"


class RemoteStore:
    """Everything in tables of its own; ``close`` and ``open_`` of ``seal`` keep names and hashes unreadable."""

    def __init__(
        self,
        database: Database,
        *,
        encode: Callable[[Event], bytes],
        seal: Callable[[str], str],
        unseal: Callable[[str], str],
    ) -> None:
        self._database = database
        self._encode = encode
        self._seal = seal
        self._unseal = unseal
        # Records on their way to the log.
        self.outbox = Drain(database, _OUTBOX)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        encode: Callable[[Event], bytes],
        seal: Callable[[str], str],
        unseal: Callable[[str], str],
    ) -> Self:
        """The tables in one SQLite file, brought up to date."""
        database = Database.open(f"sqlite:///{path}", connections=8)
        made = cls.over(database, encode=encode, seal=seal, unseal=unseal)
        path.chmod(0o600)
        return made

    @classmethod
    def over(
        cls,
        database: Database,
        *,
        encode: Callable[[Event], bytes],
        seal: Callable[[str], str],
        unseal: Callable[[str], str],
    ) -> Self:
        """The tables in a database, brought up to date."""
        migrate(database, MIGRATIONS)
        return cls(database, encode=encode, seal=seal, unseal=unseal)

    def check(self) -> None:
        """Answer one trivial query; raises DatabaseUnavailable if it does not."""
        self._database.check()

    def close(self) -> None:
        """Return the connections."""
        self._database.close()

    def credential_of(self, subject: str) -> Credential:
        """The certificate that a person signs with now.

        Raises:
            NotEnrolled: there is none.
        """
        query = select(_CREDENTIALS).where(_CREDENTIALS.c.subject == subject, _CREDENTIALS.c.state == _ACTIVE)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotEnrolled
        return _credential(row)

    def add_credential(self, credential: Credential, outcome: Event, *, instead_of: Credential | None) -> None:
        """Make this the person's certificate, with its record.

        Raises:
            EnrolledAlready: another came in between.
            OutboxFull: the record cannot keep up.
        """
        values = {name: getattr(credential, name) for name in ("id", "subject", "serial", "certificate", "chain")}
        values |= {name: getattr(credential, name) for name in ("hold", "name", "name_zh")}
        key = credential.key
        values |= {"key": key.name, "algorithm": key.algorithm.value, "public": key.public, "state": _ACTIVE}
        try:
            with self._database.transaction() as connection:
                if instead_of is not None:
                    _end(connection, instead_of)
                connection.execute(insert(_CREDENTIALS).values(**values, made_at=_text(credential.made_at)))
                self._put(connection, outcome)
        except IntegrityError as error:
            raise EnrolledAlready from error

    def end_credential(self, credential: Credential, record: Event) -> bool:
        """It signs nothing any more, with its record; says False if that was so already."""
        with self._database.transaction() as connection:
            if not _end(connection, credential):
                return False
            self._put(connection, record)
        return True

    def ask(self, consent: Consent) -> None:
        """Remember what a person is asked."""
        asked = {"verifier": consent.verifier, "documents": [asdict(each) for each in consent.documents]}
        with self._database.transaction() as connection:
            connection.execute(
                insert(_CONSENTS).values(
                    state=consent.state,
                    subject=consent.subject,
                    browser=consent.browser,
                    credential=consent.credential,
                    asked=self._seal(json.dumps(asked)),
                    asked_at=_text(consent.asked_at),
                    expires_at=_text(consent.expires_at),
                    stage=Stage.ASKED.value,
                )
            )

    def consent(self, state: str, *, subject: str, browser: str, at: datetime) -> Consent:
        """What this person was asked in this browser, and did not answer yet.

        Raises:
            ConsentUsed: it was answered.
            ConsentLost: nobody was asked so, or too long ago.
        """
        query = select(_CONSENTS).where(
            _CONSENTS.c.state == state, _CONSENTS.c.subject == subject, _CONSENTS.c.browser == browser
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise ConsentLost
        if row.stage == Stage.SPENT.value:
            raise ConsentUsed
        if row.stage != Stage.ASKED.value or row.expires_at <= _text(at):
            raise ConsentLost
        asked = json.loads(self._unseal(row.asked))
        return Consent(
            state=row.state,
            subject=row.subject,
            browser=row.browser,
            credential=row.credential,
            documents=tuple(Asked(**each) for each in asked["documents"]),
            verifier=asked["verifier"],
            asked_at=datetime.fromisoformat(row.asked_at),
            expires_at=datetime.fromisoformat(row.expires_at),
            stage=Stage(row.stage),
        )

    def end(self, state: str) -> None:
        """A consent that will never be used."""
        with self._database.transaction() as connection:
            _move(connection, state, Stage.ENDED, token=None)

    def spend(self, consent: Consent, *, token: str, signings: Sequence[RemoteSigning]) -> None:
        """Use a consent up and intend what it signs: all of it, or nothing.

        Raises:
            ConsentUsed: it, or the token that was given for it, was used before.
        """
        try:
            with self._database.transaction() as connection:
                if not _move(connection, consent.state, Stage.SPENT, token=token):
                    raise ConsentUsed
                for each in signings:
                    connection.execute(
                        insert(_SIGNINGS).values(
                            key=each.key,
                            consent=each.state,
                            subject=each.subject,
                            document=each.document,
                            commitment=each.commitment,
                            serial=each.serial,
                            state=_INTENDED,
                            result="",
                            at=_text(each.at),
                        )
                    )
        except IntegrityError as error:
            raise ConsentUsed from error

    def finish(self, key: str, outcome: Event, *, result: str) -> bool:
        """End a signature with its record; ``result`` is the signed document, empty if none came of it.

        Says False if it had ended already.

        Raises:
            OutboxFull: the record cannot keep up; it has not ended, and its document must not leave.
        """
        with self._database.transaction() as connection:
            changed = connection.execute(
                update(_SIGNINGS)
                .where(_SIGNINGS.c.key == key, _SIGNINGS.c.state == _INTENDED)
                .values(state=_MADE if result else _FAILED, result=result)
            )
            if changed.rowcount != 1:
                return False
            self._put(connection, outcome)
        return True

    def unfinished(self, *, before: datetime) -> list[RemoteSigning]:
        """Signatures whose process died between intent and outcome."""
        query = select(_SIGNINGS).where(_SIGNINGS.c.state == _INTENDED, _SIGNINGS.c.at < _text(before)).limit(1000)
        with self._database.reading() as connection:
            return [
                RemoteSigning(
                    key=row.key,
                    state=row.consent,
                    subject=row.subject,
                    document=row.document,
                    commitment=row.commitment,
                    serial=row.serial,
                    at=datetime.fromisoformat(row.at),
                )
                for row in connection.execute(query)
            ]

    def made_since(self, since: datetime) -> list[tuple[str, str, str]]:
        """Key, person and signed document of every signature that was made since then."""
        query = select(_SIGNINGS.c.key, _SIGNINGS.c.subject, _SIGNINGS.c.result).where(
            _SIGNINGS.c.state == _MADE, _SIGNINGS.c.at >= _text(since)
        )
        with self._database.reading() as connection:
            return [(row.key, row.subject, row.result) for row in connection.execute(query)]

    def signed(self, subject: str, commitment: str, *, since: datetime) -> list[str]:
        """What a person's kept key made of this document since then: signed documents, the newest first."""
        query = (
            select(_SIGNINGS.c.result)
            .where(_SIGNINGS.c.subject == subject, _SIGNINGS.c.commitment == commitment)
            .where(_SIGNINGS.c.state == _MADE, _SIGNINGS.c.at >= _text(since))
            .order_by(_SIGNINGS.c.at.desc())
            .limit(8)
        )
        with self._database.reading() as connection:
            return [*connection.execute(query).scalars()]

    def forget(self, *, before: datetime) -> None:
        """Drop consents that nobody answered, and what was asked by those that were; what was signed stays."""
        with self._database.transaction() as connection:
            old = _CONSENTS.c.expires_at < _text(before)
            connection.execute(delete(_CONSENTS).where(old, _CONSENTS.c.stage != Stage.SPENT.value))

    def _put(self, connection: Connection, event: Event) -> None:
        _OUTBOX.put(connection, key=event.key, body=self._encode(event))


def _move(connection: Connection, state: str, stage: Stage, *, token: str | None) -> bool:
    changed = connection.execute(
        update(_CONSENTS)
        .where(_CONSENTS.c.state == state, _CONSENTS.c.stage == Stage.ASKED.value)
        .values(stage=stage.value, token=token)
    )
    return changed.rowcount == 1


def _end(connection: Connection, credential: Credential) -> bool:
    changed = connection.execute(
        update(_CREDENTIALS)
        .where(_CREDENTIALS.c.id == credential.id, _CREDENTIALS.c.state == _ACTIVE)
        .values(state=_OVER)
    )
    return changed.rowcount == 1


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _credential(row: Any) -> Credential:
    return Credential(
        id=row.id,
        subject=row.subject,
        serial=row.serial,
        certificate=row.certificate,
        chain=row.chain,
        key=HeldKey(name=row.key, algorithm=Algorithm(row.algorithm), public=row.public),
        hold=row.hold,
        name=row.name,
        name_zh=row.name_zh,
        made_at=datetime.fromisoformat(row.made_at),
    )
