# SPDX-License-Identifier: Apache-2.0
"""A checker over a world, told by the world's own record; and certificates that no authority of ours would sign."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import text

from audit import Entry
from ca.checker import Checker, Facts, Findings, KeptAnswers, Ledger
from ca.models import Issued
from ca.service import CertificateAuthority, answer_folder, key_folder
from ca.signer import KeyFolder
from ca.store.tables import outbox
from ca.x509.profiles import FOLDER

from .world import World, loaded

Change = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]


@dataclass
class Watch:
    """The checker, its ledger, and how the record reaches it."""

    world: World
    checker: Checker
    ledger: Ledger
    findings: Findings
    heard: int = 0

    def hear(self, *, more: tuple[Any, ...] = ()) -> None:
        """Everything that the record holds now, and what waits for it, as the feed brings it."""
        events = [*self.world.recorder.events, *self.world.outbox(), *more]
        entries = [Entry(index=place, event=each) for place, each in enumerate(events)]
        self.ledger.start()
        self.ledger.hear(entries)
        self.ledger.hear([])

    def sweep(self) -> set[str]:
        """Check everything; the codes of what is open then."""
        self.checker.begin()
        while not self.checker.sweep().ended:
            pass
        return {each.code for each in self.checker.open(limit=1000)}

    def found(self, serial: str) -> set[str]:
        """Codes about one certificate."""
        return {each.code for each in self.checker.open(limit=1000) if each.about == serial}

    def change(self, serial: str, **values: object) -> None:
        """Behind the authority's back."""
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        with self.world.database.transaction() as connection:
            statement = f"UPDATE certificates SET {assignments} WHERE serial = :serial"  # noqa: S608 - names of columns
            connection.execute(text(statement), {**values, "serial": serial})

    def run(self, statement: str, **values: object) -> None:
        """One statement behind the authority's back."""
        with self.world.database.transaction() as connection:
            connection.execute(text(statement), values)


def open_watch(world: World, authority: CertificateAuthority) -> Watch:
    """A checker as the role wires it."""
    findings = Findings(world.database, outbox=outbox)
    ledger = Ledger(findings=findings, clock=world.clock, instance=world.settings.instance)
    checker = Checker(
        findings=findings,
        ledger=ledger,
        facts=Facts(
            public=world.site.public,
            profiles=FOLDER,
            blocklists=world.settings.blocklists,
            oid_base=world.site.oid_base,
            origin=world.site.origin("pki", "plain"),
            country=world.settings.country,
            domain=world.site.domain,
            instance=world.settings.instance,
        ),
        published=KeptAnswers(answer_folder(world.site), lambda issuer, request: authority.ocsp(issuer, request).der),
        clock=world.clock,
    )
    return Watch(world, checker, ledger, findings)


def forged(world: World, issued: Issued, change: Change, *, issuer: str = "people") -> bytes:
    """The same certificate, changed and signed again by the issuing key: what a stolen key or a hidden door would make.

    Only what is checked beside the signature can find it.
    """
    old = loaded(issued)
    builder = (
        x509.CertificateBuilder()
        .serial_number(old.serial_number)
        .issuer_name(old.issuer)
        .subject_name(old.subject)
        .public_key(old.public_key())
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    for each in old.extensions:
        builder = builder.add_extension(each.value, critical=each.critical)
    key = KeyFolder(key_folder(world.site)).issuing(issuer)
    return change(builder).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def without(builder: x509.CertificateBuilder, kind: type[x509.ExtensionType]) -> x509.CertificateBuilder:
    """The draft without one extension."""
    builder._extensions = [each for each in builder._extensions if not isinstance(each.value, kind)]
    return builder


def instead(value: x509.ExtensionType, *, critical: bool = False) -> Change:
    """Another value in the place of one of its kind."""
    return lambda builder: without(builder, type(value)).add_extension(value, critical=critical)


def longer(days: int) -> Change:
    """A later end."""

    def change(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        builder._not_valid_after += timedelta(days=days)  # type: ignore[operator,assignment]  # it is set
        return builder

    return change
