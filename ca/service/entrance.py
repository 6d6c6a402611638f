# SPDX-License-Identifier: Apache-2.0
"""Who may enter by the desk's side door: decided by the policies and recorded before anything is shown.

While sign-on is out of order the gateway cannot ask for this decision, so the authority makes the same one: the same
policies, the same resource, and an assurance that is the lower of what a certificate proves and of how well the person
was proofed. Whatever fails is a denial, and is recorded too.
"""

import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from audit import Event, Outcome, Recorder
from audit.models import Attribute
from core.clock import Clock
from core.errors import Forbidden, NotFound, TallygateError, Unavailable
from core.log import logger
from directory import Person
from policies import Action, Code, Decision, DecisionRequest

from ..errors import CertificateRefused, WeaklyProofed
from ..models import CertificateStatus, VerifiedCertificate
from ..verifier import CertificateVerifier
from .notes import SOURCE

_log = logger(__name__)

AUTHENTICATOR = 3
"""What a login with a private key in its holder's hands proves, 0 to 3; sign-on counts a card alike."""
_PROTOCOL = "https"

_IPV4 = 4


class People(Protocol):
    """The directory as far as the door looks into it; strangers raise NotFound."""

    def person(self, subject: str) -> Person:
        """One person."""
        ...


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What stands behind the door, as the gateway's route describes it."""

    resource: str
    resource_class: str
    zone: str
    # Lowest assurance the desk itself asks for.
    assurance: int
    classification: int


@dataclass(frozen=True, kw_only=True)
class Knock:
    """One request at the door; nginx vouches for zone and address, nobody yet for the certificate."""

    unverified_certificate: bytes
    zone: str
    method: str
    path: str
    address: str


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The answer, already on the record under ``number``; ``error`` is why the door stays shut."""

    number: str
    reason: str
    error: TallygateError | None = None
    person: Person | None = None
    serial: str = ""
    assurance: int = 0
    decision: Decision | None = None


class Entrance:
    """The side door's decision."""

    def __init__(
        self,
        *,
        verifier: CertificateVerifier,
        status: Callable[[str], CertificateStatus],
        people: People,
        decide: Callable[[DecisionRequest], Decision],
        desk: Desk,
        # Of a listener, by its name; 0 for one that is none.
        port: Callable[[str], int],
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._verifier = verifier
        self._status = status
        self._people = people
        self._decide = decide
        self._desk = desk
        self._port = port
        self._recorder = recorder
        self._clock = clock

    def rule(self, knock: Knock) -> Ruling:
        """Decide over one request and record the decision.

        Raises:
            RecordUnavailable: the decision is not on the record, so there is none.
        """
        at, number = self._clock.now(), secrets.token_hex(16)
        try:
            ruling = self._ruling(knock, number, at)
        except Unavailable as error:
            _log.warning("entrance_unavailable", code=error.code)
            ruling = Ruling(number=number, reason="unavailable", error=error)
        except Exception as error:  # noqa: BLE001 - fail closed: an error nobody foresaw is a denial, and recorded
            _log.error("entrance_failed", exc_info=error)
            ruling = Ruling(number=number, reason="unavailable", error=Unavailable())
        self._recorder.record(self._event(knock, ruling, at))
        return ruling

    def _ruling(self, knock: Knock, number: str, at: datetime) -> Ruling:
        # 1. Whose certificate is it, and is it worth anything?
        try:
            verified = self._verifier.verify(knock.unverified_certificate, purpose="person", at=at)
        except CertificateRefused as error:
            # Whom a refused certificate names is not known.
            return Ruling(number=number, reason="credential", error=error)
        if not self._status(verified.serial).good:
            return Ruling(number=number, reason="credential", error=CertificateRefused())
        # 2. What does the directory say of its holder?
        try:
            person = self._people.person(verified.subject)
        except NotFound:
            return Ruling(number=number, reason=Code.DISABLED, error=Forbidden(), serial=verified.serial)
        # 3. What do the policies say?
        return self._asked(knock, number, at, person=person, verified=verified)

    def _asked(
        self, knock: Knock, number: str, at: datetime, *, person: Person, verified: VerifiedCertificate
    ) -> Ruling:
        assurance = min(AUTHENTICATOR, person.proofing.level)
        desk = self._desk
        decision = self._decide(
            DecisionRequest(
                principal_kind="person",
                subject=person.subject,
                roles=person.roles | {person.kind.value},
                organisation=person.organisation,
                mandates=frozenset(each.organisation for each in person.mandates if each.until >= at.date()),
                enabled=person.enabled,
                proofing=person.proofing.level,
                assurance=assurance,
                clearance=person.clearance,
                action=Action.ACCESS,
                method=knock.method,
                resource=desk.resource,
                resource_class=desk.resource_class,
                classification=desk.classification,
                from_zone=knock.zone,
                to_zone=desk.zone,
                required_assurance=desk.assurance,
                # A person's certificate came by TLS, so none of a device can have come too: where one is required,
                # this door stays shut.
                device=None,
                port=self._port(knock.zone),
                protocol=_PROTOCOL,
                at=at,
            )
        )
        return Ruling(
            number=number,
            reason=decision.code,
            error=_refusal(decision),
            person=person,
            serial=verified.serial,
            assurance=assurance,
            decision=decision,
        )

    def _event(self, knock: Knock, ruling: Ruling, at: datetime) -> Event:
        attributes: dict[str, Attribute] = {
            "reason": ruling.reason,
            "method": knock.method,
            "port": self._port(knock.zone),
            "protocol": _PROTOCOL,
            "side_door": True,
        }
        sealed: dict[str, str] = {}
        if ruling.serial:
            attributes |= {"credential": "certificate", "certificate": ruling.serial, "assurance": ruling.assurance}
        if ruling.decision is not None:
            attributes |= {"policies": " ".join(ruling.decision.reasons), "to_zone": self._desk.zone}
        if ruling.person is not None:
            # Where somebody went is as personal as who it was.
            sealed = {"name": ruling.person.name, "address": knock.address, "path": knock.path}
        else:
            attributes["network"] = _network(knock.address)
        return Event(
            key=ruling.number,
            type="gateway.decision",
            outcome=Outcome.SUCCESS if ruling.error is None else Outcome.DENIED,
            at=at,
            source=SOURCE,
            subject=ruling.person.subject if ruling.person else "",
            object=self._desk.resource,
            organisation=ruling.person.organisation if ruling.person else "",
            zone=knock.zone,
            decision=ruling.number,
            policy=ruling.decision.version if ruling.decision else "",
            attributes=attributes,
            sealed=sealed,
        )


def _refusal(decision: Decision) -> TallygateError | None:
    if decision.allowed is True:
        return None
    return WeaklyProofed() if decision.code == Code.ASSURANCE else Forbidden()


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return ""
    prefix = 24 if known.version == _IPV4 else 48
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
