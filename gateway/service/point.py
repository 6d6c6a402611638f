# SPDX-License-Identifier: Apache-2.0
"""The decision point for other programs: an enforcement point asks, we find out, decide, record, and only then answer.

An enforcement point is believed what it alone can see (how surely somebody logged in, from which of its zones, for what
purpose). Who somebody is, and what a route of ours is, we look up ourselves. A denial is an answer and not an error.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from audit import Event, Outcome, Recorder, Wait
from core.clock import Clock
from core.errors import NotFound, TooMany, Unavailable
from core.identity import IdentityIssuer
from core.log import logger
from policies import Action, Decision, DecisionRequest, ResourceClass, noted

from ..authzen import Batch, Named, Place, Question
from ..config import EnforcementPoint, GatewaySettings, Route
from ..errors import BadTarget, NoEnforcementPoint, NotAQuestion, NotYourZone, Reason, Refused
from ..models import Caller
from ..request import matches
from ..request import target as read_target
from ..store import Kind
from .attempts import Shares
from .engine import Engine
from .news import Freshness, News, overtaken
from .people import People
from .shares import Counting
from .switches import lapsed, passed

_log = logger(__name__)
TYPE = "tallygate-authzen+jwt"
"""Of the signed metadata, so that it never passes for an identity."""
_HIGHEST = 3
_MOST_LOOKED_AT = 500
"""People whom one page of a search looks at, found or not."""
_NAME = re.compile(r"[A-Za-z0-9._:/~+=-]{1,128}\Z", re.ASCII)
_RECORD, _UNAVAILABLE = "record-unavailable", "unavailable"


class Present(Protocol):
    """Who has a session here; others nobody here can list."""

    def present(self, *, after: str, limit: int) -> Sequence[str]:
        """Subjects in order, behind one."""
        ...


class Devices(Protocol):
    """Who shows which certificate."""

    def device(self, unverified: bytes, *, at: datetime) -> Caller:
        """Its device; raises Refused."""
        ...


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An answer with what may be told about it."""

    allowed: bool
    # Number of its entry; empty if it could not be recorded.
    number: str
    code: str
    decision: Decision | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """One page of a search."""

    names: tuple[str, ...]
    # The last name looked at; empty at the end.
    after: str = ""
    total: int | None = None


class DecisionPoint:
    """The verbs of the Authorization API; safe for threads."""

    def __init__(
        self,
        *,
        settings: GatewaySettings,
        clock: Clock,
        recorder: Recorder,
        engine: Engine,
        people: People,
        present: Present,
        devices: Devices,
        news: News,
        freshness: Freshness,
        identities: IdentityIssuer,
        shares: Counting | None = None,
    ) -> None:
        """``shares`` are those of enforcement points where workers count together; else this one counts."""
        self._identities = identities
        self._shares = shares or Shares(clock=clock, rate=settings.point_rate, burst=settings.point_burst)
        self._points = settings.enforcement_points
        self._lapsed = settings.lapsed
        self._routes = {route.resource or label: route for label, route in settings.routes.items()}
        self._clock = clock
        self._recorder = recorder
        self._engine = engine
        self._people = people
        self._present = present
        self._devices = devices
        self._news = news
        self._freshness = freshness

    def metadata(self, here: str) -> dict[str, Any]:
        """Where the operations are (section 9), and the same signed by the gateway's key, whose values win."""
        access = f"{here}/access/v1"
        said = {
            "policy_decision_point": here,
            "access_evaluation_endpoint": f"{access}/evaluation",
            "access_evaluations_endpoint": f"{access}/evaluations",
            "search_subject_endpoint": f"{access}/search/subject",
            "search_resource_endpoint": f"{access}/search/resource",
            "search_action_endpoint": f"{access}/search/action",
        }
        signed = {**said, "iss": here, "iat": int(self._clock.now().timestamp())}
        return {**said, "signed_metadata": self._identities.attest(signed, typ=TYPE)}

    def caller(self, *, key: str, certificate: bytes) -> str:
        """Which enforcement point this is: by its key, or by the certificate of a device of ours.

        Raises:
            NoEnforcementPoint: none.
            TooMany: it asks more than its share.
            Unavailable: about a certificate nothing can be said now.
        """
        name = self._known(key=key, certificate=certificate)
        if not self._shares.take(name):
            raise TooMany
        return name

    def _known(self, *, key: str, certificate: bytes) -> str:
        if key and certificate:
            raise NoEnforcementPoint
        if key:
            digest = hashlib.sha256(key.encode()).hexdigest()
            for name, point in self._points.items():
                if point.key and hmac.compare_digest(point.key, digest):
                    return name
            raise NoEnforcementPoint
        if not certificate:
            raise NoEnforcementPoint
        self._freshness.check()
        try:
            device = self._devices.device(certificate, at=self._clock.now())
        except Refused as error:
            raise NoEnforcementPoint from error
        for name, point in self._points.items():
            if device.enabled and point.device == device.subject:
                return name
        raise NoEnforcementPoint

    def evaluate(self, asked: Question, *, caller: str) -> Verdict:
        """Answer one question.

        Raises:
            NotAQuestion: a property is of the wrong kind.
            NotYourZone: it is asked for a zone that the caller does not speak for.
        """
        at, heard, since = self._clock.now(), self._news.heard, self._clock.monotonic()
        request = self._request(asked, caller=caller, at=at)
        verdict = self._recorded(request, self._decided(request), caller=caller, at=at)
        if verdict.allowed and overtaken(self._clock, since=since) and not self._still(heard):
            # The entry claims more than was told.
            return Verdict(allowed=False, number=verdict.number, code=_UNAVAILABLE)
        return verdict

    def evaluate_all(self, batch: Batch, *, caller: str) -> Iterator[Verdict]:
        """Answer in order, until the batch's own semantic ends it; what cannot be answered is denied.

        Each question counts as a call does, of which the first was counted: what exceeds the caller's share is denied.
        """
        for number, asked in enumerate(batch.questions):
            verdict = Verdict(allowed=False, number="", code=NotAQuestion.code)
            if number and not self._shares.take(caller):
                verdict = Verdict(allowed=False, number="", code=TooMany.code)
            elif asked is not None:
                try:
                    verdict = self.evaluate(asked, caller=caller)
                except (NotAQuestion, NotYourZone) as error:
                    verdict = Verdict(allowed=False, number="", code=error.code)
            yield verdict
            if batch.semantic.ends(verdict.allowed):
                return

    def subjects(self, asked: Question, place: Place, *, caller: str) -> Found:
        """People with a session here who could; the page may be short, and the next one goes on.

        Raises:
            NotAQuestion, NotYourZone: as in ``evaluate``.
            Unavailable: nobody could be asked now.
        """
        # A question that cannot be asked about anybody is told as such, also where nobody is here.
        self._request(asked, caller=caller, at=self._clock.now())
        if asked.subject.type != "person":
            return self._told(asked, Found(names=(), total=0), caller=caller)
        names: list[str] = []
        after, looked = place.after, 0
        while True:
            ahead = self._present.present(after=after, limit=place.limit)
            for subject in ahead:
                after, looked = subject, looked + 1
                named = replace(asked, subject=replace(asked.subject, id=subject))
                if self._could(named, caller=caller):
                    names.append(subject)
                full = len(names) == place.limit or looked == _MOST_LOOKED_AT
                # Each one is a decision, and a page ends where the caller's share does.
                if full or not self._shares.take(caller):
                    return self._told(asked, Found(names=tuple(names), after=after), caller=caller)
            if len(ahead) < place.limit:
                return self._told(asked, Found(names=tuple(names)), caller=caller)

    def resources(self, asked: Question, place: Place, *, caller: str) -> Found:
        """Routes of that class which the subject could reach.

        Raises:
            NotAQuestion, NotYourZone, Unavailable: as in ``subjects``.
        """
        self._request(asked, caller=caller, at=self._clock.now())
        known = sorted(name for name, route in self._routes.items() if route.resource_class == asked.resource.type)
        could = [
            name
            for name in known
            if self._could(replace(asked, resource=replace(asked.resource, id=name)), caller=caller)
        ]
        return self._told(asked, _paged(could, place), caller=caller)

    def actions(self, asked: Question, place: Place, *, caller: str) -> Found:
        """What the subject could do there.

        Raises:
            NotAQuestion, NotYourZone, Unavailable: as in ``subjects``.
        """
        could = [str(name) for name in sorted(Action) if self._could(replace(asked, action=name), caller=caller)]
        return self._told(asked, _paged(could, place), caller=caller)

    def _could(self, asked: Question, *, caller: str) -> bool:
        """Raises Unavailable where nobody could be asked: that nothing was found would be another answer."""
        decision = self._decided(self._request(asked, caller=caller, at=self._clock.now()))
        if decision is None:
            self._note_search(asked, Outcome.DENIED, _UNAVAILABLE, results=0, caller=caller)
            raise Unavailable
        return decision.allowed is True

    def _still(self, heard: int) -> bool:
        """Whether nothing was taken away while the record was waited for, and that is known."""
        try:
            self._freshness.check()
        except Unavailable:
            return False
        return self._news.heard == heard

    def _decided(self, request: DecisionRequest | None) -> Decision | None:
        """None where nobody could be asked."""
        try:
            self._freshness.check()
            if self._news.policies_missing() or request is None:
                return None
            if self._shut(request):
                return Decision(allowed=False, code=Reason.SHUT, reasons=(), step_up=None, version="")
            return self._engine.decide(request)
        except Unavailable as error:
            _log.warning("evaluation_unavailable", code=error.code)
        except Exception as error:  # noqa: BLE001 - fail closed: an error nobody foresaw is a denial
            _log.error("evaluation_failed", error=type(error).__name__, why=str(error)[:200])
        return None

    def _shut(self, request: DecisionRequest) -> bool:
        """Whether an emergency switch closes this, as it would at the gateway's own hosts."""
        route = self._routes.get(request.resource)
        if route is not None and route.unshuttable:
            return False
        if route is not None and lapsed(route, self._lapsed, method=request.method, at=request.at):
            return True
        names = passed(
            origin=request.from_zone,
            zone=request.to_zone,
            resource=request.resource,
            client=request.subject if request.principal_kind == "client" else "",
            method=request.method,
        )
        return self._news.taken(*((Kind.SWITCH, name) for name in names))

    def _recorded(
        self, request: DecisionRequest | None, decision: Decision | None, *, caller: str, at: datetime
    ) -> Verdict:
        number = secrets.token_hex(16)
        allowed = decision is not None and decision.allowed is True
        code = _UNAVAILABLE if decision is None else decision.code
        said: dict[str, str | int | bool] = {"point": caller, "reason": code}
        if request is not None:
            said |= {"action": _known_action(request.action)} | dict(noted(request))
        if decision is not None and decision.reasons:
            said["policies"] = " ".join(decision.reasons)
        if decision is not None and decision.shadow:
            said["shadow"] = " ".join(decision.shadow)
        event = Event(
            key=number,
            type="gateway.evaluation",
            outcome=Outcome.SUCCESS if allowed else Outcome.DENIED,
            at=at,
            source="gateway",
            subject=request.subject if request else "",
            object=request.resource if request else "",
            zone=request.from_zone if request else "",
            decision=number,
            policy=decision.version if decision else "",
            attributes=said,
        )
        try:
            self._recorder.record(event, wait=Wait.SEQUENCED)
        except Exception as error:  # noqa: BLE001 - no receipt, no permission, whatever the cause
            _log.error("evaluation_not_recorded", cause=type(error).__name__)
            return Verdict(allowed=False, number="", code=_RECORD)
        return Verdict(allowed=allowed, number=number, code=code, decision=decision)

    def _told(self, asked: Question, found: Found, *, caller: str) -> Found:
        """Who looked for what is on the record before it is told.

        Raises:
            RecordUnavailable: it cannot be.
        """
        self._note_search(asked, Outcome.SUCCESS, "search", results=len(found.names), caller=caller)
        return found

    def _note_search(self, asked: Question, outcome: Outcome, reason: str, *, results: int, caller: str) -> None:
        number = secrets.token_hex(16)
        said: dict[str, str | int | bool] = {"point": caller, "reason": reason, "results": results}
        if asked.action:
            said["action"] = _known_action(asked.action)
        self._recorder.record(
            Event(
                key=number,
                type="gateway.evaluation",
                outcome=outcome,
                at=self._clock.now(),
                source="gateway",
                subject=asked.subject.id if asked.subject.id and _NAME.match(asked.subject.id) else "",
                object=asked.resource.id if asked.resource.id and _NAME.match(asked.resource.id) else "",
                decision=number,
                attributes=said,
            ),
            wait=Wait.SEQUENCED,
        )

    def _request(self, asked: Question, *, caller: str, at: datetime) -> DecisionRequest | None:
        """The question in our own words; None where the directory does not answer."""
        point, context = self._points[caller], asked.context
        zone = _text(context, "zone") or (point.zones[0] if len(point.zones) == 1 else "")
        if zone not in point.zones:
            raise NotYourZone
        # Names are told to the log's clear part: what could be free text is refused.
        for name in (asked.subject.id, asked.resource.id):
            if name and not _NAME.match(name):
                raise NotAQuestion(field="id")
        blank = DecisionRequest(
            principal_kind="anonymous",
            assurance=_level(context, "assurance", 0),
            methods=tuple(_texts(context, "methods")),
            action=asked.action,
            method=_text(context, "method") or _text(asked.doing, "method"),
            resource=asked.resource.id,
            resource_class="",
            classification=_HIGHEST,
            from_zone=zone,
            to_zone="",
            required_assurance=_HIGHEST,
            device=_text(context, "device") or None,
            acting_for=_text(context, "acting_for"),
            purpose=_text(context, "purpose"),
            at=at,
        )
        try:
            return self._about(asked.resource, self._by(asked.subject, self._beside(blank), point))
        except Unavailable as error:
            _log.warning("evaluation_unavailable", code=error.code)
            return None

    def _beside(self, request: DecisionRequest) -> DecisionRequest:
        """With what we know of the device that the point saw; one of ours that was taken away stands beside nobody."""
        if not request.device:
            return request
        try:
            device = self._people.device(request.device)
        except NotFound:
            # None of ours: the point's own word.
            return request
        if not device.enabled or self._news.taken((Kind.DEVICE, device.id)):
            return replace(request, device=None)
        return replace(request, device_state=str(device.state))

    def _by(self, subject: Named, request: DecisionRequest, point: EnforcementPoint) -> DecisionRequest:
        """With everything we know of the subject; of whom we know nothing, it is not enabled and opens nothing."""
        match subject.type:
            case "anonymous":
                return replace(request, assurance=0)
            case "person":
                known = replace(request, principal_kind="person", subject=subject.id)
                try:
                    person = self._people.person(subject.id)
                except NotFound:
                    return known
                return replace(
                    known,
                    roles=person.roles,
                    organisation=person.organisation,
                    mandates=frozenset(
                        each.organisation for each in person.mandates if each.until >= request.at.date()
                    ),
                    # The record is ahead of a directory, or a copy of it, that has not heard yet.
                    enabled=person.enabled and not self._news.taken((Kind.SUBJECT, subject.id)),
                    proofing=person.proofing.level,
                    assurance=min(request.assurance, person.proofing.level),
                    clearance=person.clearance,
                )
            case "device":
                known = replace(request, principal_kind="device", subject=subject.id)
                try:
                    device = self._people.device(subject.id)
                except NotFound:
                    return known
                return replace(
                    known,
                    organisation=device.organisation,
                    enabled=device.enabled and not self._news.taken((Kind.DEVICE, device.id)),
                    device=device.id,
                    device_state=str(device.state),
                )
            case "organisation" | "service" | "client":
                # We keep no list of these that we could read: whoever vouches for them says so in its settings.
                return replace(
                    request,
                    principal_kind=subject.type,
                    subject=subject.id,
                    organisation=_text(subject.properties, "organisation") if point.vouches else "",
                    enabled=point.vouches,
                )
            case _:
                raise NotAQuestion(field="subject.type")

    def _about(self, resource: Named, request: DecisionRequest) -> DecisionRequest:
        """With what our own route is, or what the caller says of what is none; no label said is the strictest."""
        route = self._routes.get(resource.id)
        said = resource.properties
        if route is not None:
            if resource.type != route.resource_class:
                raise NotAQuestion(field="resource.type")
            return _of_route(request, route, path=_path(said))
        if resource.type not in set(ResourceClass):
            raise NotAQuestion(field="resource.type")
        return replace(
            request,
            resource_class=resource.type,
            owner=_text(said, "owner"),
            classification=_level(said, "classification", _HIGHEST),
            required_assurance=_level(said, "required_assurance", _HIGHEST),
            record_class=_text(said, "record_class"),
            to_zone=_text(said, "zone"),
        )


def _known_action(name: str) -> str:
    """As it is told to the log's clear part, where no free text stands."""
    return name if name in set(Action) else "other"


def _of_route(request: DecisionRequest, route: Route, *, path: str) -> DecisionRequest:
    return replace(
        request,
        resource_class=route.resource_class,
        classification=route.classification,
        required_assurance=route.assurance,
        to_zone=route.zone,
        path_public=bool(path) and matches(path, route.public),
    )


def _path(said: Mapping[str, Any]) -> str:
    """A path with one reading, as at our own hosts: what could lead elsewhere is beneath no public one."""
    path = _text(said, "path")
    try:
        return read_target("GET", path).path if path else ""
    except BadTarget as error:
        raise NotAQuestion(field="path") from error


def _paged(names: Sequence[str], place: Place) -> Found:
    rest = [name for name in names if name > place.after]
    page = tuple(rest[: place.limit])
    return Found(names=page, after=page[-1] if len(rest) > len(page) else "", total=len(names))


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name, "")
    # It may be told to the log's clear part.
    if not isinstance(found, str) or (found and not _NAME.match(found)):
        raise NotAQuestion(field=name)
    return found


def _texts(said: Mapping[str, Any], name: str) -> list[str]:
    found = said.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and _NAME.match(each) for each in found):
        raise NotAQuestion(field=name)
    return found


def _level(said: Mapping[str, Any], name: str, otherwise: int) -> int:
    found = said.get(name, otherwise)
    if type(found) is not int or not 0 <= found <= _HIGHEST:
        raise NotAQuestion(field=name)
    return found
