# SPDX-License-Identifier: Apache-2.0
"""The decision: identify, ask the policies, record, and only then answer. Whatever fails is a denial.

State at each exit: before the record nothing was granted; after it, the entry says what nginx is told, unless this
process dies or the identity cannot be signed in between, and then the entry claims more access than there was.
"""

import ipaddress
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from audit import Event, Outcome, Recorder, Wait, encode_event
from core.clock import Clock
from core.errors import Unavailable
from core.identity import Identity, IdentityIssuer
from core.log import logger
from core.site import SiteSettings
from policies import Action, Decision, DecisionRequest, Remedy, noted

from ..config import LISTENERS, METHODS, GatewaySettings, Route
from ..errors import BadTarget, Reason, Refused
from ..models import NOBODY, Answer, Caller, Question, Ruling, Target
from ..request import Credentials, certificate_digest, credentials, matches
from ..request import target as read_target
from ..store import Kind
from ..tokens import Sealing, Ties
from .attempts import Attempts, Shares
from .familiar import Familiar, Known, learned, values
from .identification import Identification
from .news import Freshness, News
from .people import WouldWait
from .shares import Counting
from .switches import lapsed, passed, ways

_log = logger(__name__)
_REMEDY = re.compile(r"[a-z_]{1,20}(=[A-Za-z0-9._-]{1,80})?", re.ASCII)
_LEARNS = 2
"""The event of one ruling by which the writing of those that follow is learned: many a ruling is made once."""
_REASONS = {
    "login": Reason.LOGIN,
    "disabled": Reason.DISABLED,
    "separation": Reason.SEPARATION,
    "clearance": Reason.CLEARANCE,
    "role": Reason.ROLE,
    "zone": Reason.ZONE,
    "device": Reason.DEVICE,
    "mandate": Reason.MANDATE,
    "purpose": Reason.PURPOSE,
    "assurance": Reason.ASSURANCE,
    "default": Reason.DEFAULT,
}


class Engine(Protocol):
    """The policies, as decisions use them."""

    def decide(self, request: DecisionRequest) -> Decision:
        """Answer; an error is a denial."""
        ...

    def place(self, *, listener: str, address: str, peer: str = "") -> str:
        """The zone a request comes from; empty if its address or peer has no business at the listener."""
        ...

    def speaks(self, peer: str) -> bool:
        """Whether a certificate, by its digest, is one of a proxy that speaks for a zone."""
        ...

    def spoken_for(self, listener: str) -> frozenset[str]:
        """Zones that a proxy may speak for at a listener, by its certificate."""
        ...

    def lasting(self, action: str) -> str:
        """The version by which the same question has the same answer again; empty if each is to be asked."""
        ...


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A decision that is made and not yet recorded: nobody may be told of it."""

    question: Question
    ruling: Ruling
    number: str
    # Encoded; its key is the number.
    event: bytes


class Decider:
    """One per worker process; safe for its threads."""

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
        identities: IdentityIssuer,
        sealing: Sealing,
        shares: tuple[Counting, Counting, Counting] | None = None,
    ) -> None:
        """``shares`` are those of persons, clients and addresses where workers count together; else this one counts."""
        self._site = site
        self._clock = clock
        self._recorder = recorder
        self._engine = engine
        self._identification = identification
        self._news = news
        self._freshness = freshness
        self._identities = identities
        self._sealing = sealing
        self._attempts = Attempts(clock=clock, limit=settings.refused_credentials)
        self._people, self._clients, self._addresses = shares or (
            Shares(clock=clock, rate=settings.person_rate, burst=settings.person_burst),
            Shares(clock=clock, rate=settings.client_rate, burst=settings.client_burst),
            Shares(clock=clock, rate=settings.rate, burst=settings.burst),
        )
        self._routes = {
            site.host(label): (route.resource or label, route, site.origin(label, route.zone))
            for label, route in settings.routes.items()
        }
        self._origins = {
            (host, listener): site.origin(host.removesuffix(f".{site.domain}"), listener)
            for host in self._routes
            for listener in LISTENERS
        }
        self._lapsed = settings.lapsed
        self._familiar = Familiar()
        self._open = {site.host(label): (label, host) for label, host in settings.open_hosts.items() if host.asked}

    def decide(self, question: Question) -> Answer:
        """Answer nginx; never raises."""
        at, heard = self._clock.now(), self._news.heard
        number = secrets.token_hex(16)
        if question.unverified_host in self._open:
            ruling = self._rule_open(question)
            if ruling.reason is None:
                # Who it is the host finds out itself; it opens, and no access is recorded that nobody decided on.
                return Answer(status=204, decision="")
        else:
            ruling = self._rule(question, at)
        try:
            self._recorder.record(_event(question, ruling, number=number, at=at), wait=Wait.SEQUENCED)
        except Exception as error:  # noqa: BLE001 - no receipt, no access, whatever the cause
            return self.unrecorded(number, error)
        return self.answer(question, ruling, number, heard=heard)

    def begin(self, question: Question) -> "Begun | None":
        """The same until it has to be recorded, where nothing else must be waited for; None: ask ``decide`` instead.

        Nothing was taken or told by then, so that asking again is no second time.
        """
        if (
            question.unverified_host in self._open
            or question.unverified_authorization
            or question.unverified_certificate
            or question.upgrade
            or not question.limited
            or self._news.policies_pending
        ):
            return None
        at = self._clock.now()
        number = secrets.token_hex(16)
        try:
            ruling, known = self._ruled(question, at, at_once=True)
            event = _encoded(question, ruling, known, number=number, at=at)
        except Exception:  # noqa: BLE001 - whatever it was, it is told the long way
            return None
        return Begun(question=question, ruling=ruling, number=number, event=event)

    def unrecorded(self, number: str, error: Exception) -> Answer:
        """Refuse what is not recorded."""
        _log.error("decision_not_recorded", cause=type(error).__name__)
        return _denied(Reason.RECORD_UNAVAILABLE, number)

    def answer(self, question: Question, ruling: Ruling, number: str, *, heard: int = 0) -> Answer:
        """What is told once it is recorded; never raises. ``heard`` is for what stays open: how far the news were."""
        if ruling.reason is not None:
            return _denied(ruling.reason, number, step_up=ruling.step_up, could=ruling.could)
        try:
            return Answer(
                status=204,
                decision=number,
                identity=self._identity(question, ruling, number),
                ties=self._tied(question, ruling, number, heard),
            )
        except Exception:  # noqa: BLE001 - an answer of yes without its identity is none
            _log.error("identity_not_signed", exc_info=True)
            return _denied(Reason.UNAVAILABLE, number)

    def _rule(self, question: Question, at: datetime) -> Ruling:
        return self._ruled(question, at)[0]

    def _ruled(self, question: Question, at: datetime, *, at_once: bool = False) -> tuple[Ruling, Known | None]:
        """Steps 1 to 7; each may refuse, and whatever goes wrong is a refusal too.

        ``at_once`` raises WouldWait where somebody would have to be asked, and also tells what is known of the ruling.
        """
        resource, zone, peer, caller, target, route = "", "", "", NOBODY, None, None
        try:
            # 1. The host is one of ours, spelt as nginx spells it.
            resource, route, audience = self._place(question)
            # 2. The zone follows from the listener, which only nginx names, and from what nginx saw: the address, or
            # the certificate by which a proxy of another zone proved itself. That one says nothing of the caller.
            peer = self._peer(question, proves=route.peers)
            zone = self._zone(question, peer)
            origin = self._origins[question.unverified_host, question.listener]
            if peer:
                question = replace(question, unverified_certificate="")
            # 3. Nothing came that only a proxy may say; method and target have one reading; the host takes such.
            _unforged(question)
            self._within_rate(question)
            target = read_target(question.unverified_method, question.unverified_target)
            _acceptable(question, route, target)
            # 4. At most one credential was presented, once.
            given = credentials(question)
            # 5. What was taken away has been heard, and the caller is not guessing.
            self._current()
            self._not_guessing(given, question.address)
            # 6. Who it is. A session that is over makes its owner nobody, so that public pages still open.
            try:
                caller = self._identification.identify(
                    given,
                    route=route,
                    target=target,
                    host=question.unverified_host,
                    listener=question.listener,
                    audience=audience,
                    origin=origin,
                    at=at,
                    at_once=at_once,
                )
            except Refused as refused:
                if refused.reason is not Reason.LOGIN:
                    raise
            self._not_lapsed(route, target, socket=bool(question.upgrade), at=at)
            self._not_shut(zone, resource, route, target, caller, socket=bool(question.upgrade))
            _same_site(question, caller, origin)
            # 7. Nobody takes everybody's share, and then: what the policies say.
            self._within_share(caller)
            asked_for = resource, route, target
            return self._by_policies(question, caller, asked_for, zone=zone, peer=peer, at=at, at_once=at_once)
        except WouldWait:
            raise
        except Refused as refused:
            if refused.reason is Reason.CREDENTIAL:
                self._attempts.refused(question.address)
            reason = refused.reason
        except BadTarget as refused:
            _log.info("target_refused", why=refused.why)
            reason = Reason.AMBIGUOUS_PATH
        except Unavailable as error:
            _log.warning("decision_unavailable", code=error.code)
            reason = Reason.UNAVAILABLE
        except Exception:  # noqa: BLE001 - fail closed: an error nobody foresaw is a denial
            _log.error("decision_failed", exc_info=True)
            reason = Reason.UNAVAILABLE
        # What was found out until then is recorded of a refusal as of everything else.
        came = _came(self._site, question, peer)
        return Ruling(
            reason=reason, caller=caller, resource=resource, route=route, target=target, zone=zone, asked=came
        ), None

    def _by_policies(
        self,
        question: Question,
        caller: Caller,
        asked_for: tuple[str, Route, Target],
        *,
        zone: str,
        peer: str,
        at: datetime,
        at_once: bool,
    ) -> tuple[Ruling, Known | None]:
        """What the policies say, or said before where it still holds; ``at_once`` also remembers it."""
        resource, route, target = asked_for
        public = matches(target.path, route.public)
        key = caller.session, question.unverified_host, question.listener, target.method, public
        known = self._familiar.get(key, caller, zone, peer) if at_once else None
        lasting = self._engine.lasting(Action.ACCESS) if at_once else ""
        if known is not None and lasting and known.lasting == lasting:
            return known.ruling.at(target), known
        port: int = getattr(self._site.ports, question.listener)
        protocol = _protocol(question)
        asked = _request(caller, resource, route, target, public=public, zone=zone, port=port, protocol=protocol, at=at)
        decision = self._engine.decide(asked)
        if known is not None and known.decision == decision:
            known.lasting = lasting if decision.version == lasting else ""
            return known.ruling.at(target), known
        ruling = Ruling(
            reason=reason_of(decision, caller),
            caller=caller,
            resource=resource,
            route=route,
            target=target,
            step_up=decision.step_up,
            could=_could(decision.could),
            policies=decision.reasons,
            version=decision.version,
            zone=zone,
            asked=noted(asked)
            | ({"shadow": " ".join(decision.shadow)} if decision.shadow else {})
            | ({"peer": peer} if peer else {}),
        )
        if not (at_once and caller.session):
            return ruling, None
        known = Known(ruling, decision, lasting=lasting if decision.version == lasting else "")
        self._familiar.keep(key, known)
        return ruling, known

    def _rule_open(self, question: Question) -> Ruling:
        """Whether a host that identifies its callers itself is shut; what goes wrong is a refusal here too.

        Where a request comes from counts here as everywhere; who makes it the host finds out. Where no proxy can prove
        itself, it may come from each zone that one could speak for.
        """
        label, host = self._open[question.unverified_host]
        zone = peer = ""
        try:
            self._current()
            peer = self._peer(question, proves=host.asks_certificate)
            zone = self._zone(question, peer)
            origins = {zone} if host.asks_certificate else {zone, *self._engine.spoken_for(question.listener)}
            names = passed(origin="", zone="", resource=label, method=question.unverified_method)
            self._none_thrown(names + [name for origin in sorted(origins) for name in ways(origin, host.zones)])
        except Refused as refused:
            came = _came(self._site, question, peer)
            return Ruling(reason=refused.reason, resource=label, zone=zone, asked=came)
        except Exception as error:  # noqa: BLE001 - fail closed: an error nobody foresaw is a denial
            _log.warning("open_host_denied", error=type(error).__name__)
            return Ruling(reason=Reason.UNAVAILABLE, resource=label, zone=zone, asked=_came(self._site, question))
        return Ruling(reason=None, resource=label, zone=zone)

    def _peer(self, question: Question, *, proves: bool) -> str:
        """Digest of the certificate that the connection proved, where it is one of a proxy that speaks for a zone."""
        if not proves or not question.unverified_certificate:
            return ""
        digest = certificate_digest(question.unverified_certificate)
        return digest if self._engine.speaks(digest) else ""

    def _zone(self, question: Question, peer: str) -> str:
        if question.listener not in LISTENERS:
            raise Refused(Reason.UNKNOWN_HOST)
        zone = self._engine.place(listener=question.listener, address=question.address, peer=peer)
        if not zone:
            # An address of another zone's network at this door: somebody joined two networks.
            raise Refused(Reason.ZONE)
        return zone

    def _place(self, question: Question) -> tuple[str, Route, str]:
        if question.unverified_host not in self._routes:
            raise Refused(Reason.UNKNOWN_HOST)
        return self._routes[question.unverified_host]

    def _current(self) -> None:
        self._freshness.check()
        if self._news.policies_missing():
            raise Refused(Reason.UNAVAILABLE)

    def _not_guessing(self, given: Credentials, address: str) -> None:
        costly = given.unverified_token or given.unverified_certificate
        if costly and self._attempts.exhausted(address):
            raise Refused(Reason.TOO_MANY)

    def _not_lapsed(self, route: Route, target: Target, *, socket: bool, at: datetime) -> None:
        if lapsed(route, self._lapsed, method=target.method, socket=socket, at=at):
            raise Refused(Reason.SHUT)

    def _not_shut(
        self, zone: str, resource: str, route: Route, target: Target, caller: Caller, *, socket: bool
    ) -> None:
        if route.unshuttable:
            return
        self._none_thrown(
            passed(
                origin=zone,
                zone=route.zone,
                resource=resource,
                client=caller.client,
                method=target.method,
                socket=socket,
            )
        )

    def _none_thrown(self, names: list[str]) -> None:
        if self._news.taken(*((Kind.SWITCH, name) for name in names)):
            raise Refused(Reason.SHUT)

    def _within_rate(self, question: Question) -> None:
        if not question.limited and not self._addresses.take(question.address):
            raise Refused(Reason.TOO_MANY)

    def _within_share(self, caller: Caller) -> None:
        mine = not caller.subject or self._people.take(caller.subject)
        if not mine or (caller.client and not self._clients.take(caller.client)):
            raise Refused(Reason.TOO_MANY)

    def _tied(self, question: Question, ruling: Ruling, number: str, heard: int) -> str:
        if not question.upgrade or ruling.route is None:
            return ""
        caller, route = ruling.caller, ruling.route
        names = passed(origin=ruling.zone, zone=route.zone, resource=ruling.resource, client=caller.client, socket=True)
        switches = [] if route.unshuttable else [(str(Kind.SWITCH), name) for name in names]
        return self._sealing.seal(
            Ties(
                decision=number,
                subject=caller.subject,
                session=caller.session,
                organisation=caller.organisation,
                resource=ruling.resource,
                host=question.unverified_host,
                zone=ruling.zone,
                role=route.role,
                live=route.live,
                names=(*((str(kind), name) for kind, name in caller.ties), *switches),
                until=int(caller.until.timestamp()) if caller.until else 0,
                heard=heard,
            ),
            at=self._clock.now(),
        )

    def _identity(self, question: Question, ruling: Ruling, number: str) -> str:
        caller, target = ruling.caller, ruling.target
        if target is None or caller.kind == "anonymous":
            return ""
        return self._identities.issue(
            Identity(
                subject=caller.subject,
                kind=caller.kind,
                session=caller.session,
                roles=caller.roles,
                assurance=caller.assurance,
                methods=caller.methods,
                zone=ruling.zone,
                decision=number,
                request=question.number,
                on_behalf_of=caller.mandate,
            ),
            audience=question.unverified_host,
            method=target.method,
            path=target.raw,
            at=self._clock.now(),
        )


def _came(site: SiteSettings, question: Question, peer: str = "") -> dict[str, str | int | bool]:
    """By which door, speaking what, and through whom."""
    if question.listener not in LISTENERS:
        return {}
    said: dict[str, str | int | bool] = {
        "port": getattr(site.ports, question.listener),
        "protocol": _protocol(question),
    }
    return said | {"peer": peer} if peer else said


def _protocol(question: Question) -> str:
    return "websocket" if question.upgrade else "https"


def _unforged(question: Question) -> None:
    if question.forwarded:
        raise Refused(Reason.FORWARDED)


def _same_site(question: Question, caller: Caller, own: str) -> None:
    """A browser sends its cookies with a WebSocket whoever's page asks for it (RFC 6455 section 10.2)."""
    if not question.upgrade:
        return
    if caller.kind == "anonymous":
        raise Refused(Reason.LOGIN)
    if question.origin != own and (question.origin or caller.credential == "session"):
        raise Refused(Reason.ORIGIN)


def _acceptable(question: Question, route: Route, target: Target) -> None:
    # A path is for sockets or for requests, never for both: what is no upgrade would be answered as one.
    socket = matches(target.path, route.sockets)
    plain = target.method == "GET" and not question.length
    if socket != bool(question.upgrade) or (socket and not (plain and question.upgrade == "websocket")):
        raise Refused(Reason.UNACCEPTED)
    largest = route.largest * 1024 * 1024
    if (
        (route.methods and target.method not in route.methods)
        or (largest and not 0 <= question.length <= largest)
        or (question.length and route.media and question.media not in route.media)
    ):
        raise Refused(Reason.UNACCEPTED)


def _request(
    caller: Caller,
    resource: str,
    route: Route,
    target: Target,
    *,
    public: bool,
    zone: str,
    port: int,
    protocol: str,
    at: datetime,
) -> DecisionRequest:
    return DecisionRequest(
        **caller.principal,
        action=Action.ACCESS,
        method=target.method,
        resource=resource,
        resource_class=route.resource_class,
        classification=route.classification,
        from_zone=zone,
        to_zone=route.zone,
        required_assurance=route.assurance,
        path_public=public,
        port=port,
        protocol=protocol,
        at=at,
    )


def reason_of(decision: Decision, caller: Caller) -> Reason | None:
    """Why the policies said no; None if they said yes."""
    if decision.allowed is True:
        return None
    reason = _REASONS.get(decision.code, Reason.POLICY_ERROR)
    if reason is Reason.ASSURANCE and decision.step_up is not None and caller.kind == "person":
        return Reason.STEP_UP
    return reason


def _could(remedies: tuple[Remedy, ...]) -> tuple[str, ...]:
    """For a header; an identifier that no header could hold is left out."""
    told = (f"{each.kind}={each.value}" if each.value else each.kind for each in remedies)
    return tuple(each for each in told if _REMEDY.fullmatch(each))


def _denied(reason: Reason, number: str, *, step_up: int | None = None, could: tuple[str, ...] = ()) -> Answer:
    level = step_up or 0 if reason is Reason.STEP_UP else 0
    return Answer(status=reason.status, decision=number, reason=reason, step_up=level, could=could)


def _encoded(question: Question, ruling: Ruling, known: Known | None, *, number: str, at: datetime) -> bytes:
    """The event of a ruling; where one like it was written before, only what differs is."""
    if known is not None and ruling.target is not None:
        known.events += 1
        if known.events == _LEARNS:
            known.written = learned(question, ruling, _event, at=at)
        if known.written is not None:
            given = values(question, ruling.target.path, number=number, at=at)
            if given is not None:
                return known.written.made(given)
    return encode_event(_event(question, ruling, number=number, at=at))


def _event(question: Question, ruling: Ruling, *, number: str, at: datetime) -> Event:
    caller = ruling.caller
    attributes: dict[str, str | int | bool] = {"reason": str(ruling.reason or "allowed"), "assurance": caller.assurance}
    if question.number:
        attributes["request"] = question.number
    if question.unverified_method in METHODS:
        attributes["method"] = question.unverified_method
    if caller.credential:
        attributes["credential"] = caller.credential
    if caller.methods:
        attributes["amr"] = " ".join(caller.methods)
    if caller.client:
        attributes["client"] = caller.client
    if caller.mandate:
        attributes["mandate"] = caller.mandate
    if ruling.policies:
        attributes["policies"] = " ".join(ruling.policies)
    if ruling.route is not None:
        attributes["to_zone"] = ruling.route.zone
    attributes |= ruling.asked
    sealed: dict[str, str] = {}
    if caller.subject:
        # Where somebody went is as personal as who it was.
        sealed = {"name": caller.name, "address": question.address}
        if caller.name_zh:
            sealed["name_zh"] = caller.name_zh
        if ruling.target is not None:
            sealed["path"] = ruling.target.path
    else:
        attributes["network"] = network(question.address)
    return Event(
        key=number,
        type="gateway.decision",
        outcome=Outcome.SUCCESS if ruling.allowed else Outcome.DENIED,
        at=at,
        source="gateway",
        subject=caller.subject,
        object=ruling.resource,
        organisation=caller.organisation,
        session=caller.session,
        zone=ruling.zone or question.listener,
        decision=number,
        policy=ruling.version,
        attributes=attributes,
        sealed=sealed,
    )


def network(address: str) -> str:
    """The /24 or /48 an address lies in: not personal. Empty for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))  # noqa: PLR2004 - IP version
