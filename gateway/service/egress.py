# SPDX-License-Identifier: Apache-2.0
"""Ways out to other networks: who may reach which destination, decided and recorded before a byte leaves.

What no destination of the settings covers is refused and recorded like everything else (GB/T 22239-2019 8.1.3.1 c). The
name is resolved here and once: the addresses that were judged are those that are connected to.
"""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit import Event, Outcome, Recorder, Wait
from core.calls import is_public
from core.clock import Clock
from core.errors import Unavailable
from core.log import logger
from core.site import SiteSettings
from policies import Action, Decision, DecisionRequest, noted

from ..config import EGRESS, Destination, GatewaySettings
from ..errors import Reason, Refused
from ..models import NOBODY, Caller
from ..request import Credentials
from ..store import Kind
from ..tokens import Ties
from .accompanying import over_at
from .answers import reason_of
from .attempts import Attempts, Shares
from .engine import Engine
from .entries import network
from .identification import Identification
from .news import Freshness, News
from .shares import Counting
from .sockets import Sockets
from .switches import passed

_log = logger(__name__)
_MOST_ADDRESSES = 4
Resolver = Callable[[str, int], list[str]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request for a way out; nothing in it was checked but its spelling."""

    host: str
    port: int
    address: str
    credentials: Credentials
    # What the request was refused for before anything of it could be decided; None if nothing.
    malformed: Reason | None = None


@dataclass(frozen=True, kw_only=True)
class Way:
    """What was decided; it is on the record."""

    decision: str
    reason: Reason | None
    ties: Ties | None = None
    # Where to connect, in order; judged.
    addresses: tuple[str, ...] = ()
    # Whether the tunnel has to begin with TLS for the name.
    tls: bool = True


@dataclass(frozen=True, kw_only=True)
class _Ruling:
    reason: Reason | None
    caller: Caller = NOBODY
    name: str = ""
    destination: Destination | None = None
    zone: str = ""
    decision: Decision | None = None
    asked: DecisionRequest | None = None
    addresses: tuple[str, ...] = ()


class WaysOut:
    """Decides; safe for threads."""

    def __init__(
        self,
        *,
        site: SiteSettings,
        settings: GatewaySettings,
        clock: Clock,
        recorder: Recorder,
        engine: Engine,
        identification: Identification,
        news: News,
        freshness: Freshness,
        sockets: Sockets,
        resolve: Resolver | None = None,
        people: Counting | None = None,
        clients: Counting | None = None,
    ) -> None:
        """``resolve`` is another than the machine's own resolver.

        ``people`` and ``clients`` count what persons and clients take elsewhere too.
        """
        self._settings = settings.egress
        self._origin = f"https://{site.host(EGRESS)}:{site.ports.egress}"
        self._clock = clock
        self._recorder = recorder
        self._engine = engine
        self._identification = identification
        self._news = news
        self._freshness = freshness
        self._sockets = sockets
        self._resolve = resolve or addresses_of
        self._attempts = Attempts(clock=clock, limit=settings.refused_credentials)
        self._people = people or Shares(clock=clock, rate=settings.person_rate, burst=settings.person_burst)
        self._clients = clients or Shares(clock=clock, rate=settings.client_rate, burst=settings.client_burst)

    def decide(self, asked: Asked) -> Way:
        """Answer; never raises."""
        at, number, heard = self._clock.now(), secrets.token_hex(16), self._news.heard
        ruling = self._ruled(asked, at)
        try:
            self._recorder.record(_event(asked, ruling, number=number, at=at), wait=Wait.SEQUENCED)
        except Exception as error:  # noqa: BLE001 - no receipt, no way out, whatever the cause
            _log.error("decision_not_recorded", cause=type(error).__name__)
            return Way(decision=number, reason=Reason.RECORD_UNAVAILABLE)
        if ruling.reason is not None or ruling.destination is None:
            return Way(decision=number, reason=ruling.reason or Reason.DEFAULT)
        return Way(
            decision=number,
            reason=None,
            ties=self._tied(ruling, number, at, heard),
            addresses=ruling.addresses,
            tls=ruling.destination.protocol == "tls",
        )

    def _ruled(self, asked: Asked, at: datetime) -> _Ruling:
        caller, name, zone, destination = NOBODY, "", "", None
        release = self._engine.version
        try:
            _well_formed(asked)
            # 1. From which network, and that what was taken away has been heard.
            zone = self._zone(asked)
            self._current()
            # 2. Who it is, also of whoever asks for what is no destination: the record says who tried.
            caller = self._known(asked, at)
            # 3. Where to; what no destination covers is refused.
            name, destination = self._destination(asked)
            self._not_shut(zone, name, destination, caller)
            self._within_share(caller)
            # 4. What zones and policies say.
            request = _request(caller, asked, name, destination, zone=zone, at=at)
            decision = self._engine.decide(request)
            self._of_one_release(asked, zone, release)
            reason = reason_of(decision, caller)
            if reason is Reason.STEP_UP:
                reason = Reason.ASSURANCE
            # 5. Whom nobody allowed anything learns nothing of names either.
            found = self._judged(asked, destination) if reason is None else ()
            if reason is None and not found:
                reason = Reason.DESTINATION
        except Refused as refused:
            if refused.reason is Reason.CREDENTIAL:
                self._attempts.refused(asked.address)
            return _Ruling(reason=refused.reason, caller=caller, name=name, destination=destination, zone=zone)
        except Unavailable as error:
            _log.warning("decision_unavailable", code=error.code)
            return _Ruling(reason=Reason.UNAVAILABLE, caller=caller, name=name, destination=destination, zone=zone)
        except Exception:  # noqa: BLE001 - fail closed: an error nobody foresaw is a denial
            _log.error("decision_failed", exc_info=True)
            return _Ruling(reason=Reason.UNAVAILABLE, caller=caller, name=name, destination=destination, zone=zone)
        return _Ruling(
            reason=reason,
            caller=caller,
            name=name,
            destination=destination,
            zone=zone,
            decision=decision,
            asked=request,
            addresses=found,
        )

    def _zone(self, asked: Asked) -> str:
        zone = self._engine.place(listener=EGRESS, address=asked.address)
        if not zone:
            raise Refused(Reason.ZONE)
        return zone

    def _of_one_release(self, asked: Asked, zone: str, release: str) -> None:
        """Nothing, unless a release came in between that places the request elsewhere than the one before."""
        if self._engine.version != release and self._zone(asked) != zone:
            raise Refused(Reason.UNAVAILABLE)

    def _current(self) -> None:
        self._freshness.check()
        if self._news.policies_missing():
            raise Refused(Reason.UNAVAILABLE)

    def _within_share(self, caller: Caller) -> None:
        if not self._people.take(caller.subject) or self._sockets.count(caller.subject) >= self._settings.tunnels:
            raise Refused(Reason.TOO_MANY)
        if caller.client and not self._clients.take(caller.client):
            raise Refused(Reason.TOO_MANY)

    def _known(self, asked: Asked, at: datetime) -> Caller:
        if self._attempts.exhausted(asked.address):
            raise Refused(Reason.TOO_MANY)
        # A proof by key speaks of the place that is asked for, so that it opens no other.
        target = f"https://{asked.host}:{asked.port}/"
        return self._identification.leaving(asked.credentials, audience=self._origin, target=target, at=at)

    def _destination(self, asked: Asked) -> tuple[str, Destination]:
        for name, destination in self._settings.destinations.items():
            if destination.covers(asked.host, asked.port):
                return name, destination
        raise Refused(Reason.DEFAULT)

    def _not_shut(self, zone: str, name: str, destination: Destination, caller: Caller) -> None:
        names = _switches(zone, name, destination, caller)
        if self._news.taken(*((Kind.SWITCH, each) for each in names)):
            raise Refused(Reason.SHUT)

    def _judged(self, asked: Asked, destination: Destination) -> tuple[str, ...]:
        """Addresses of the name; none if one of them is no place to go to, for then the name is not to be trusted."""
        found = self._resolve(asked.host.strip("[]"), asked.port)
        if not destination.private and not all(is_public(address) for address in found):
            return ()
        return tuple(found[:_MOST_ADDRESSES])

    def _tied(self, ruling: _Ruling, number: str, at: datetime, heard: int) -> Ties:
        caller, destination = ruling.caller, ruling.destination
        names = _switches(ruling.zone, ruling.name, destination, caller) if destination else []
        switches = [(str(Kind.SWITCH), each) for each in names]
        ends = int((at + self._settings.longest).timestamp())
        own = over_at(caller, edge=self._engine.edge(Action.ACCESS, at), at=at)
        return Ties(
            decision=number,
            subject=caller.subject,
            session=caller.session,
            organisation=caller.organisation,
            resource=ruling.name,
            host=EGRESS,
            zone=ruling.zone,
            role="",
            live="",
            names=(*((str(kind), each) for kind, each in caller.ties), *switches),
            until=min(own, ends),
            heard=heard,
        )

    @property
    def idle(self) -> timedelta:
        """How long a tunnel may be silent."""
        return self._settings.idle


def addresses_of(host: str, port: int) -> list[str]:
    """What the machine's resolver says; empty if nothing."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _switches(zone: str, name: str, destination: Destination, caller: Caller) -> list[str]:
    """Those on the way; what a tunnel carries may change something, as with WebSockets."""
    return passed(origin=zone, zone=destination.zone, resource=name, client=caller.client, socket=True)


def _well_formed(asked: Asked) -> None:
    if asked.malformed is not None:
        raise Refused(asked.malformed)


def _request(
    caller: Caller, asked: Asked, name: str, destination: Destination, *, zone: str, at: datetime
) -> DecisionRequest:
    return DecisionRequest(
        **caller.principal,
        action=Action.ACCESS,
        method="CONNECT",
        resource=name,
        resource_class=EGRESS,
        classification=destination.classification,
        from_zone=zone,
        to_zone=destination.zone,
        required_assurance=destination.assurance,
        port=asked.port,
        protocol="connect",
        at=at,
    )


def _event(asked: Asked, ruling: _Ruling, *, number: str, at: datetime) -> Event:
    caller, decision = ruling.caller, ruling.decision
    said: dict[str, str | int | bool] = {
        "reason": str(ruling.reason or "allowed"),
        "assurance": caller.assurance,
        "method": "CONNECT",
        "protocol": "connect",
        "port": asked.port,
    }
    if caller.credential:
        said["credential"] = caller.credential
    if caller.client:
        said["client"] = caller.client
    if caller.mandate:
        said["mandate"] = caller.mandate
    if ruling.destination is not None:
        said["to_zone"] = ruling.destination.zone
    if ruling.asked is not None:
        said |= noted(ruling.asked)
    if decision is not None and decision.reasons:
        said["policies"] = " ".join(decision.reasons)
    if decision is not None and decision.shadow:
        said["shadow"] = " ".join(decision.shadow)
    sealed: dict[str, str] = {}
    if caller.subject:
        # Where somebody went is as personal as who it was. Of nobody it is not kept: it could say who it was.
        sealed = {"name": caller.name, "address": asked.address}
        if asked.host:
            sealed["destination"] = f"{asked.host}:{asked.port}"
        if caller.name_zh:
            sealed["name_zh"] = caller.name_zh
    else:
        said["network"] = network(asked.address)
    return Event(
        key=number,
        type="gateway.egress.decided",
        outcome=Outcome.SUCCESS if ruling.reason is None else Outcome.DENIED,
        at=at,
        source="gateway",
        subject=caller.subject,
        object=ruling.name,
        organisation=caller.organisation,
        session=caller.session,
        zone=ruling.zone or EGRESS,
        decision=number,
        policy=decision.version if decision else "",
        attributes=said,
        sealed=sealed,
    )
