# SPDX-License-Identifier: Apache-2.0
"""The decision: identify, ask the policies, record, and only then answer. Whatever fails is a denial.

State at each exit: before the record nothing was granted; after it, the entry says what nginx is told, unless this
process dies or the identity cannot be signed in between, and then the entry claims more access than there was.
"""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from audit import Recorder, Wait
from core.clock import Clock
from core.errors import Unavailable
from core.identity import IdentityIssuer
from core.log import logger
from core.site import SiteSettings
from policies import Action, noted

from ..config import LISTENERS, GatewaySettings, Route
from ..errors import BadTarget, Reason, Refused
from ..models import NOBODY, Answer, Caller, Question, Ruling, Target
from ..request import Credentials, certificate_digest, credentials, matches
from ..request import target as read_target
from ..store import Kind
from ..tokens import Sealing
from .acceptable import acceptable, same_site, unforged
from .accompanying import identity, tied
from .answers import asked_of, could, denied, reason_of
from .attempts import Attempts, Shares, counted_as
from .engine import Engine
from .entries import encoded, event_of, spoken, way_in
from .familiar import Familiar, Known
from .identification import Identification
from .news import Freshness, News, overtaken
from .people import WouldWait
from .shares import Counting
from .switches import lapsed, passed, ways

_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A decision that is made and not yet recorded: nobody may be told of it."""

    question: Question
    ruling: Ruling
    number: str
    # How far the news were when it began, and when that was.
    heard: int
    since: float
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
        at, heard, since = self._clock.now(), self._news.heard, self._clock.monotonic()
        number = secrets.token_hex(16)
        if question.unverified_host in self._open:
            ruling = self._rule_open(question)
            if ruling.reason is None:
                # Who it is the host finds out itself; it opens, and no access is recorded that nobody decided on.
                return Answer(status=204, decision="")
        else:
            ruling = self._rule(question, at)
        try:
            self._recorder.record(event_of(question, ruling, number=number, at=at), wait=Wait.SEQUENCED)
        except Exception as error:  # noqa: BLE001 - no receipt, no access, whatever the cause
            return self.unrecorded(number, error)
        return self.answer(question, ruling, number, heard=heard, since=since)

    def begin(self, question: Question, *, missing: Callable[[str], object] | None = None) -> "Begun | None":
        """The same until it has to be recorded, where nothing else must be waited for; None: ask ``decide`` instead.

        Nothing was taken or told by then, so that asking again is no second time. ``missing`` hears who is not in
        memory, if that is all that is missing: after ``read`` it may be asked here once more.
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
        at, heard, since = self._clock.now(), self._news.heard, self._clock.monotonic()
        number = secrets.token_hex(16)
        try:
            ruling, known = self._ruled(question, at, at_once=True)
            event = encoded(question, ruling, known, number=number, at=at)
        except WouldWait as waits:
            if missing is not None:
                missing(waits.subject)
            return None
        except Exception:  # noqa: BLE001 - whatever it was, it is told the long way
            return None
        return Begun(question=question, ruling=ruling, number=number, event=event, heard=heard, since=since)

    def read(self, subject: str) -> None:
        """Wait for what the directory says of somebody; never raises."""
        # What it does not say now, the long way hears when it asks once more.
        with suppress(Exception):
            self._identification.read(subject)

    def unrecorded(self, number: str, error: Exception) -> Answer:
        """Refuse what is not recorded."""
        _log.error("decision_not_recorded", cause=type(error).__name__)
        return denied(Reason.RECORD_UNAVAILABLE, number)

    def late(self, begun: Begun) -> bool:
        """Whether its record took so long that ``answer`` may have to wait for the news."""
        return overtaken(self._clock, since=begun.since)

    def told(self, begun: Begun) -> Answer:
        """What is told once it is recorded; never raises."""
        return self.answer(begun.question, begun.ruling, begun.number, heard=begun.heard, since=begun.since)

    def answer(self, question: Question, ruling: Ruling, number: str, *, heard: int, since: float) -> Answer:
        """What is told once it is recorded; never raises. ``heard`` is how far the news were, ``since`` when."""
        if ruling.reason is not None:
            return denied(ruling.reason, number, step_up=ruling.step_up, could=ruling.could)
        try:
            if overtaken(self._clock, since=since):
                # A log that stood still may have kept from us what was taken away meanwhile.
                self._freshness.check()
                if self._news.heard != heard:
                    return denied(Reason.UNAVAILABLE, number)
            return Answer(
                status=204,
                decision=number,
                identity=identity(self._identities, question, ruling, number, at=self._clock.now()),
                ties=self._tied(question, ruling, number, heard) if question.upgrade else "",
            )
        except Unavailable as error:
            _log.warning("decision_overtaken", code=error.code)
            return denied(Reason.UNAVAILABLE, number)
        except Exception:  # noqa: BLE001 - an answer of yes without its identity is none
            _log.error("identity_not_signed", exc_info=True)
            return denied(Reason.UNAVAILABLE, number)

    def _tied(self, question: Question, ruling: Ruling, number: str, heard: int) -> str:
        at = self._clock.now()
        edge = self._engine.edge(Action.ACCESS, at)
        return tied(self._sealing, question, ruling, number, heard=heard, edge=edge, at=at)

    def _rule(self, question: Question, at: datetime) -> Ruling:
        return self._ruled(question, at)[0]

    def _ruled(self, question: Question, at: datetime, *, at_once: bool = False) -> tuple[Ruling, Known | None]:
        """Steps 1 to 7; each may refuse, and whatever goes wrong is a refusal too.

        ``at_once`` raises WouldWait where somebody would have to be asked, and also tells what is known of the ruling.
        """
        resource, zone, peer, caller, target, route = "", "", "", NOBODY, None, None
        release = self._engine.version
        try:
            # 1. The host is one of ours, spelt as nginx spells it.
            resource, route, audience = self._place(question)
            # 2. The zone follows from the listener, which only nginx names, and from what nginx saw: the address, or
            # the certificate by which a proxy of another zone proved itself. That one says nothing of the caller.
            # Where nobody is asked for a certificate, it may have come from each zone that a proxy could speak for.
            shown = question
            peer = self._peer(shown, proves=route.asks_certificate)
            zone, origins = self._where(shown, route, peer)
            origin = self._origins[question.unverified_host, question.listener]
            if peer:
                question = replace(question, unverified_certificate="")
            # 3. Nothing came that only a proxy may say; method and target have one reading; the host takes such.
            unforged(question)
            self._within_rate(question)
            target = read_target(question.unverified_method, question.unverified_target)
            acceptable(question, route, target)
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
            self._not_shut({zone, *origins}, resource, route, target, caller, socket=bool(question.upgrade))
            same_site(question, caller, origin)
            # 7. Nobody takes everybody's share, and then: what the policies say.
            self._within_share(caller)
            where = zone, peer, origins
            ruled = self._by_policies(question, caller, (resource, route, target), where, at=at, at_once=at_once)
            return self._of_one_release(ruled, shown, where, release)
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
        came = way_in(self._site, question, peer)
        return Ruling(
            reason=reason, caller=caller, resource=resource, route=route, target=target, zone=zone, asked=came
        ), None

    def _by_policies(
        self,
        question: Question,
        caller: Caller,
        asked_for: tuple[str, Route, Target],
        where: tuple[str, str, frozenset[str]],
        *,
        at: datetime,
        at_once: bool,
    ) -> tuple[Ruling, Known | None]:
        """What the policies say, or said before where it still holds; ``at_once`` also remembers it."""
        resource, route, target = asked_for
        zone, peer, origins = where
        public = matches(target.path, route.public)
        key = caller.session, question.unverified_host, question.listener, target.method, public
        known = self._familiar.get(key, caller, zone, peer) if at_once else None
        lasting = self._engine.lasting(Action.ACCESS) if at_once else ""
        if known is not None and lasting and known.lasting == lasting:
            return known.ruling.at(target), known
        port: int = getattr(self._site.ports, question.listener)
        protocol = spoken(question)
        asked = asked_of(caller, resource, route, target, public=public, zone=zone, port=port, protocol=protocol, at=at)
        decision = self._engine.decide(asked)
        for origin in sorted(origins):
            if decision.allowed is True:
                decision = self._engine.decide(replace(asked, from_zone=origin))
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
            could=could(decision.could),
            policies=decision.reasons,
            version=decision.version,
            zone=zone,
            origins=origins,
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
            came = way_in(self._site, question, peer)
            return Ruling(reason=refused.reason, resource=label, zone=zone, asked=came)
        except Exception as error:  # noqa: BLE001 - fail closed: an error nobody foresaw is a denial
            _log.warning("open_host_denied", error=type(error).__name__)
            return Ruling(reason=Reason.UNAVAILABLE, resource=label, zone=zone, asked=way_in(self._site, question))
        return Ruling(reason=None, resource=label, zone=zone)

    def _peer(self, question: Question, *, proves: bool) -> str:
        """Digest of the certificate that the connection proved, where it is one of a proxy that speaks for a zone."""
        if not proves or not question.unverified_certificate:
            return ""
        digest = certificate_digest(question.unverified_certificate)
        return digest if self._engine.speaks(digest) else ""

    def _where(self, question: Question, route: Route, peer: str) -> tuple[str, frozenset[str]]:
        """The zone, and each other one from which it may come because no proxy can prove itself there."""
        zone = self._zone(question, peer)
        return zone, frozenset() if route.asks_certificate else self._engine.spoken_for(question.listener) - {zone}

    def _of_one_release(
        self,
        ruled: tuple[Ruling, Known | None],
        question: Question,
        where: tuple[str, str, frozenset[str]],
        release: str,
    ) -> tuple[Ruling, Known | None]:
        """The same ruling, unless a release came in between that places the request elsewhere than the one before."""
        if self._engine.version != release:
            _, route, _ = self._place(question)
            peer = self._peer(question, proves=route.asks_certificate)
            zone, origins = self._where(question, route, peer)
            if where != (zone, peer, origins):
                raise Refused(Reason.UNAVAILABLE)
        return ruled

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
        self, origins: set[str], resource: str, route: Route, target: Target, caller: Caller, *, socket: bool
    ) -> None:
        if route.unshuttable:
            return
        names = passed(origin="", zone="", resource=resource, client=caller.client, method=target.method, socket=socket)
        self._none_thrown(names + [name for origin in origins for name in ways(origin, (route.zone,))])

    def _none_thrown(self, names: list[str]) -> None:
        if self._news.taken(*[(Kind.SWITCH, name) for name in names]):
            raise Refused(Reason.SHUT)

    def _within_rate(self, question: Question) -> None:
        if not question.limited and not self._addresses.take(counted_as(question.address)):
            raise Refused(Reason.TOO_MANY)

    def _within_share(self, caller: Caller) -> None:
        mine = not caller.subject or self._people.take(caller.subject)
        if not mine or (caller.client and not self._clients.take(caller.client)):
            raise Refused(Reason.TOO_MANY)
