# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``sso``: provider, pages, follower and relay."""

import base64
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from flask import Flask

import sso.store
from audit import RecordUnavailable
from audit.client import PATIENCE, Follower
from audit.config import AuditSettings
from audit.relay import Relay
from ca.client import CAClient
from ca.verifier import CertificateVerifier
from core.calls import Peer
from core.calls.outside import Fetcher
from core.config import ConfigurationError
from core.errors import Unavailable
from core.log import logger
from directory import DirectorySettings
from directory.client import EntrustingClient, OwnClient
from directory.models_powers import CONTRACTOR
from gateway import GatewaySettings
from policies import Action, DecisionRequest, ResourceClass
from policies.service import PolicyEngine
from sso.config import SSOSettings
from sso.models import LoginDecision
from sso.oauth.rfc7517 import KeyRing
from sso.service import (
    KeySchedule,
    Person,
    SignOn,
    end_rotation,
    load_keys,
)
from sso.service.account import FULL
from sso.service.browsers import Distance, Place
from sso.service.collaborators import Card
from sso.web import blueprint, quick
from sso.web.admin import clients, desk, front, persons, portals

from ..context import Context
from ..files import replace
from . import mail, policies
from .registering import DESK, ROLE, listed

# The host where clients show certificates; browsers, which would ask their people for one, have no business there.
_TLS = "sso-tls"
_TRANSLATIONS = Path(sso.store.__file__).parent.parent / "translations"
# The list of keys beside the role's socket; a machine without one has the operator's, in the public folder.
KEYS = "jwks.json"
_log = logger(__name__)


def application(context: Context) -> Flask:
    """The role's WSGI application, with its follower and relay running."""
    site = context.site
    settings = context.settings("sso", SSOSettings)
    store = sso.store.Store(context.database(ROLE))
    store.migrate()
    recorder = context.recorder(ROLE)
    relay = Relay(store.outbox, recorder, source=ROLE, clock=context.clock, lock=site.folder(ROLE) / "relay.lock")
    follower: list[Follower] = []
    engine = policies.engine(context)
    try:
        end_rotation(site.folder(ROLE) / "keys", recorder=recorder)
    except RecordUnavailable as error:
        _log.warning("rotation_waits", code=error.code)
    verifier, authority = CertificateVerifier.load(site.public), CAClient(context.peer(ROLE, "ca"))
    ring = load_keys(site.folder(ROLE) / "keys")
    schedule = KeySchedule(
        site.folder(ROLE) / "keys",
        ring=ring,
        recorder=recorder,
        settings=settings,
        clock=context.clock,
        publish=lambda keys: _tell_neighbours(context, keys),
    )
    outward = Outward(sorted(site.public.glob("root*.pem")), private=settings.fetch_private)
    distance, place = _places(context)
    gateway = context.settings("gateway", GatewaySettings)
    service = SignOn(
        issuer=site.origin("sso"),
        site=site.title,
        card_origin=site.origin("card"),
        tls_origin=site.origin(_TLS),
        store=store,
        people=context.directory(ROLE),
        cards=Cards(verifier, authority, "person"),
        machines=Cards(verifier, authority, "device"),
        decide=LoginPolicy(engine),
        keys=ring,
        recorder=recorder,
        settings=settings,
        clock=context.clock,
        entrusting=EntrustingClient(lambda: context.peer(ROLE, "directory")),
        own_record=(own := OwnRecord(context)),
        own_proof=own.proved,
        state_key=context.session_key(ROLE),
        factor_key=context.kept_key(ROLE, "factors.key"),
        fresh=lambda: follower[0].check(),  # noqa: PLW0108 - there is no follower yet
        nudge=relay.nudge,
        fetch=outward.fetched,
        tell=outward.told,
        exchange=outward.exchanged,
        subject_key=context.kept_key(ROLE, "subjects.key"),
        own_entry=OwnClient(lambda: _directory(context)),
        undeclared=[
            (site.host(label), path)
            for label, route in context.settings("gateway", GatewaySettings).routes.items()
            for path in route.undeclared
        ],
        shown=lambda header, host: context.verifier(host).verify_shown(header, at=context.clock.now()),
        post=mail.post(context, settings.mail_password),
        distance=distance,
        resources=[site.origin(label, route.zone) for label, route in gateway.routes.items() if route.resources],
        place=place,
        password_length=context.settings("directory", DirectorySettings).password_length,
        reload_policies=engine.reload,
    )
    # The follower needs the service's ears, the service the follower's freshness; nothing is served before both are.
    news = service.news
    feed = context.feed(ROLE, about=news.about)
    follower.append(Follower(feed, start=news.start, hear=news.hear, clock=context.clock, patience=PATIENCE))
    relay.start()
    follower[0].start()
    service.housekeeping.also(schedule.look)
    try:
        schedule.look()
    except RecordUnavailable as error:
        _log.warning("rotation_waits", code=error.code)
    service.housekeeping.start()
    service.goodbyes.start()
    service.letters.start()
    guard = context.guard(ROLE, audience=site.host(DESK))

    def ready() -> None:
        store.check()
        follower[0].check()

    app = context.flask(
        ROLE,
        guard=guard,
        blueprints=[
            blueprint(
                service,
                guard,
                card_host=site.host("card"),
                tls_host=site.host(_TLS),
                proxy=context.pairs(ROLE, ["nginx"]),
                certificates=f"{site.origin('certificates')}/my/",
                desk_host=site.host(DESK),
            ),
            desk(
                guard, parts=[front(service, schedule.standing), portals(service), clients(service), persons(service)]
            ),
        ],
        translations=[_TRANSLATIONS],
        ready=ready,
        standing=relay.standing,
    )
    app.wsgi_app = quick(app.wsgi_app, service)  # type: ignore[method-assign,assignment]  # as Flask documents
    return app


class LoginPolicy:
    """The policies' word on logins; what each portal asks beyond that, the gateway decides at each access."""

    def __init__(self, engine: PolicyEngine) -> None:
        self._engine = engine

    def __call__(
        self,
        *,
        person: Person,
        client: str,
        assurance: int,
        methods: tuple[str, ...],
        at: datetime,
    ) -> LoginDecision:
        """Decide; the policies answer the same for every client, but a contractor's account is for one portal's."""
        own = {role.removeprefix(CONTRACTOR) for role in person.roles if role.startswith(CONTRACTOR)}
        # The gateway's own client is the way to every host, each of which it decides on; without one nothing is issued.
        if own and client not in {"", "gateway"} and own != {client}:
            return LoginDecision(
                allowed=False, step_up=None, reasons=("contractor-elsewhere",), version="", code="role"
            )
        answer = self._engine.decide(
            DecisionRequest(
                principal_kind="person",
                subject=person.subject,
                roles=person.roles,
                organisation=person.organisation,
                enabled=person.enabled,
                proofing=person.proofing.level,
                assurance=assurance,
                methods=methods,
                action=Action.LOGIN,
                resource=ROLE,
                resource_class=ResourceClass.SIGN_ON,
                classification=0,
                # The issuer has one address, at the external listener.
                from_zone="external",
                to_zone="external",
                required_assurance=1,
                at=at,
            )
        )
        # The page and the record show ids of policies, or the code where none of them spoke.
        return LoginDecision(
            allowed=answer.allowed,
            step_up=answer.step_up,
            reasons=answer.reasons or (() if answer.allowed else (str(answer.code),)),
            version=answer.version,
            code=str(answer.code),
        )


class Cards:
    """The authority's verifier and its answer about one serial."""

    def __init__(
        self, verifier: CertificateVerifier, authority: CAClient, purpose: Literal["person", "device"]
    ) -> None:
        self._verifier = verifier
        self._purpose = purpose
        self._authority = authority

    def verify(self, certificate_pem: bytes, *, at: datetime) -> Card:
        """Check chain, dates and purpose.

        Raises:
            CertificateRefused: for every reason alike.
        """
        return self._verifier.verify(certificate_pem, purpose=self._purpose, at=at)

    def good(self, serial: str) -> bool:
        """Ask its issuer.

        Raises:
            Unavailable: the issuer does not answer.
        """
        return self._authority.status(serial).good


class Outward:
    """The one way out, to addresses that clients registered."""

    def __init__(self, roots: Sequence[Path], *, private: bool) -> None:
        context = ssl.create_default_context()
        # Beside the machine's own authorities the site's: its portals are certified by it.
        for root in roots:
            context.load_verify_locations(root)
        self._fetcher = Fetcher(context=context, private=private, timeout=3.0, largest=16 * 1024)

    def fetched(self, address: str) -> str:
        """The text at an address: a signed request, keys, or a sector's list.

        Raises:
            Unavailable: nothing, or nothing usable.
        """
        found = self._fetcher.get(address)
        try:
            return found.body.decode("ascii") if found.status == HTTPStatus.OK else _nothing()
        except ValueError as error:
            raise Unavailable from error

    def told(self, address: str, token: str) -> bool:
        """Bring a logout token to an address; whether it was taken (Back-Channel Logout 1.0 section 2.5).

        Raises:
            Unavailable: nobody answers there.
        """
        body = urlencode({"logout_token": token}).encode()
        answer = self._fetcher.post(address, body, kind="application/x-www-form-urlencoded")
        return answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)

    def exchanged(self, address: str, form: bytes) -> str:
        """The text that another provider answers a form with.

        Raises:
            Unavailable: nothing, or nothing usable.
        """
        found = self._fetcher.post(address, form, kind="application/x-www-form-urlencoded")
        try:
            return found.body.decode("ascii") if found.status == HTTPStatus.OK else _nothing()
        except ValueError as error:
            raise Unavailable from error


def _nothing() -> str:
    raise Unavailable


class OwnRecord:
    """What the record holds about one person, asked as this role."""

    def __init__(self, context: Context) -> None:
        self._audit = context.peer(ROLE, "audit")

    def __call__(self, subject: str, language: str, before: int | None) -> Sequence[Mapping[str, Any]]:
        """The newest entries, or the newest before one of them.

        Raises:
            Unavailable: the record does not answer, or not as it should.
        """
        older = "" if before is None else f"&after={before}"
        asked = f"/api/v1/subjects/{subject}/entries?limit={FULL}&lang={language}{older}"
        answer = self._audit.call("GET", asked).json()
        entries = answer.get("entries") if isinstance(answer, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Unavailable
        return entries

    def proved(self, subject: str, index: int) -> tuple[bytes, str]:
        """One entry about a person and its proof.

        Raises:
            NotFound: there is none about that person.
            Unavailable: the record does not answer, or not as it should.
        """
        answer = self._audit.call("GET", f"/api/v1/subjects/{subject}/entries/{index}").json()
        try:
            return base64.b64decode(answer["entry"], validate=True), str(answer["proof"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable from error


def _directory(context: Context) -> Peer:
    """The way to the one writer; a site of an earlier release has none before ``init --renew-processes``.

    Raises:
        Unavailable: there is no secret for it.
    """
    try:
        return context.peer(ROLE, "directory")
    except ConfigurationError as error:
        raise Unavailable from error


def _places(context: Context) -> tuple[Distance, Place]:
    """How far networks are apart and where they are, by the record's table, if the site has one."""
    path = context.settings("audit", AuditSettings).alert_places
    if path is None:
        return lambda _one, _other: None, lambda _network: ""
    from .places import Table  # noqa: PLC0415 - eight mebibytes in each worker, and many sites have no table

    table = Table(path)
    return table.distance, table.name


def _tell_neighbours(context: Context, keys: KeyRing) -> None:
    """Put the list beside the role's socket, where this role alone writes and the others of this machine read."""
    present, path = listed(keys), context.site.socket(ROLE).parent / KEYS
    if path.parent.is_dir() and (not path.exists() or path.read_bytes() != present):
        replace(path, present)
