# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``ca``: authority, relay, housekeeping and its pages; and its part in the birth of a site."""

import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from flask import Flask

from audit import Recorder
from audit.client import Follower
from audit.relay import Relay
from ca import CASettings, CertificateVerifier, ceremony, web
from ca.acme import Acme
from ca.acme.gate import PREFIX
from ca.acme.notes import ACTOR
from ca.acme.store import Store as AcmeStore
from ca.checker import ABOUT as CHECKED
from ca.checker import Checker, Facts, Findings, KeptAnswers, Ledger, Watchman
from ca.est import Est
from ca.est.notes import ACTOR as EST_ACTOR
from ca.est.store import Store as EstStore
from ca.est.waiting import Decision, Queue, Said
from ca.incidents import IncidentKeeper
from ca.inventory import Counting, Inventory, Stock
from ca.models import IssueRequest
from ca.notices import Board, NoticeKeeper, Notices, Words, open_mailer, open_webhook
from ca.press import Press
from ca.registration import Registration, Requests
from ca.registration.bulk import Bulk, Jobs, Workshop
from ca.registration.models import Stage
from ca.service import (
    ABOUT,
    BUSINESS,
    AnswerKeeper,
    Callers,
    CertificateAuthority,
    Desk,
    DirectorySource,
    Entrance,
    Housekeeping,
    KeyDelivery,
    Publisher,
    Reconciliation,
    StampKeeper,
    Verdict,
    answer_folder,
    open_authority,
    open_stamping,
)
from ca.store import Store
from ca.store.tables import outbox
from ca.x509 import Profile, SubjectKind
from ca.x509.profiles import FOLDER
from core.clock import Clock
from core.db import Database, migrate
from core.identity import IdentityVerifier
from core.site import SiteSettings
from core.web import chinese_words
from directory import Device, Person
from directory.client import PublishingClient
from directory.models import Scope
from gateway import GatewaySettings
from gateway.config import LISTENERS
from gateway.proxy import host_names
from policies.models import Action, DecisionRequest, ResourceClass
from policies.service import PolicyEngine

from ..context import Context
from . import policies
from .incidents import incidents

_DESK_ZONE = "management"
# Host where holders look after their own certificates.
_HOLDERS = "certificates"
# Devices of an organisation on one page of who holds what.
_DEVICES = 20


def found(context: Context, recorder: Recorder) -> None:
    """Hold the key ceremony."""
    database = context.database("ca")
    ceremony.found(
        site=context.site,
        settings=context.settings("ca", CASettings),
        database=database,
        recorder=recorder,
        clock=context.clock,
    )
    database.close()


def renew(context: Context) -> None:
    """New OCSP delegates and revocation lists for a site that was off; only its log runs."""
    database = context.database("ca")
    recorder = context.recorder("ca")
    # It migrates first; what waits is then delivered, also past a record that the log refuses.
    ceremony.renew(
        site=context.site,
        settings=context.settings("ca", CASettings),
        database=database,
        recorder=recorder,
        clock=context.clock,
    )
    _relay(context, Store(database), recorder).drain()
    database.close()


def renew_root_list(context: Context) -> None:
    """A new list of the root's, where its key is at hand; by the operator, who alone can read it."""
    ceremony.renew_root_list(
        site=context.site,
        settings=context.settings("ca", CASettings),
        recorder=context.recorder("app"),
        clock=context.clock,
    )


def certify_servers(context: Context, recorder: Recorder) -> dict[str, dict[str, bytes]]:
    """Certify nginx and slapd; returns the files of each. Their old certificates stay valid until they end."""
    site = context.site
    database = context.database("ca")
    store = Store(database)
    authority = open_authority(
        site=site,
        settings=context.settings("ca", CASettings),
        store=store,
        recorder=recorder,
        clock=context.clock,
        directory=None,
    )
    hosts = {
        "nginx": host_names(site, context.settings("gateway", GatewaySettings)),
        "slapd": (site.host("ldap"), "127.0.0.1"),
    }
    made = {label: ceremony.issue_server(authority, label=label, hosts=names) for label, names in hosts.items()}
    _relay(context, store, recorder).drain()
    database.close()
    return made


def opened(context: Context, recorder: Recorder) -> CertificateAuthority:
    """The authority over its own tables, for a ceremony: for machines alone; outcomes wait for the role's relay."""
    return open_authority(
        site=context.site,
        settings=context.settings("ca", CASettings),
        store=Store(context.database("ca")),
        recorder=recorder,
        clock=context.clock,
        directory=None,
    )


def install(context: Context, holder: str, files: Mapping[str, bytes]) -> None:
    """Give a server what was made for it."""
    ceremony.install(context.site.folder(holder), files)


def application(context: Context) -> Flask:
    """The running role: public facts, the peer API, the desk and its side door."""
    site = context.site
    settings = context.settings("ca", CASettings)
    database = context.database("ca")
    migrate(database, ceremony.MIGRATIONS)
    store = Store(database)
    recorder = context.recorder("ca")
    directory, engine = context.directory("ca"), policies.engine(context)
    relay = _relay(context, store, recorder)
    agreement = Reconciliation(store=store, clock=context.clock, instance=settings.instance, nudge=relay.nudge)
    follower = Follower(
        context.feed("ca", about=ABOUT), start=agreement.start, hear=agreement.hear, clock=context.clock
    )
    authority = open_authority(
        site=site,
        settings=settings,
        store=store,
        recorder=recorder,
        clock=context.clock,
        directory=directory,
        policies=(ShippedPolicies(engine, directory=directory, clock=context.clock),),
        nudge=relay.nudge,
        ready=agreement.check,
        lint=Press(settings.lint_helpers).findings,
    )
    registration = Registration(
        requests=Requests(database),
        certificates=store,
        authority=authority,
        directory=directory,
        recorder=recorder,
        clock=context.clock,
        lifetime=settings.request_lifetime,
        nudge=relay.nudge,
    )
    bulk = Bulk(
        jobs=Jobs(database),
        certificates=store,
        authority=authority,
        directory=directory,
        recorder=recorder,
        clock=context.clock,
        nudge=relay.nudge,
    )
    relay.start()
    follower.start()
    Workshop(bulk, lock=site.folder("ca") / "bulk.lock").start()
    counting = Counting(database, clock=context.clock, settled=settings.issuance_timeout + timedelta(minutes=1))

    def tidy() -> None:
        registration.tidy()
        counting.round()

    Housekeeping(authority, tidy=tidy, issuers=authority.issuers).start()
    checker = watching(context, database, authority, relay=relay)
    told = notices(context, database, directory=directory, relay=relay)
    NoticeKeeper(told).start()

    def stands() -> web.Standing:
        waiting, failed = told.board.numbers(since=context.clock.now() - timedelta(days=30))
        return web.Standing(queue=registration.waiting(), check=checker.look(), notices=waiting, failed=failed)

    publisher = Publisher(
        store=store,
        authority=authority,
        shelf=PublishingClient(context.peer("ca", "directory")),
        clock=context.clock,
        lock=site.folder("ca") / "publisher.lock",
        ready=agreement.check,
    )
    publisher.start()
    AnswerKeeper(authority).start()
    stamping = open_stamping(
        site=site, settings=settings, store=store, recorder=recorder, clock=context.clock, ready=agreement.check
    )
    StampKeeper(stamping, authority).start()
    guard = context.guard("ca", audience=site.host("ca"), callers=web.CALLERS)
    gateway = context.settings("gateway", GatewaySettings)
    servers = acme(context, database, store, authority, directory=directory, recorder=recorder, relay=relay)
    servers.validation.start()
    queue = Waiting(registration)
    devices = est(context, database, store, authority, queue=queue, directory=directory, recorder=recorder, relay=relay)
    stock = Inventory(
        stock=Stock(database),
        directory=directory,
        devices_of=lambda organisation, after: directory.devices(
            after=after, limit=_DEVICES, within=Scope(organisations=frozenset({organisation}))
        ),
        recorder=recorder,
        clock=context.clock,
    )
    woken = threading.Event()
    many, runner = incidents(
        site=site,
        database=database,
        authority=authority,
        acme=servers,
        directory=directory,
        clock=context.clock,
        settings=settings.incidents,
        nudge=relay.nudge,
        woken=woken,
    )
    IncidentKeeper(runner, tidy=many.tidy, woken=woken).start()
    callers = Callers(verifiers=verifiers(context, gateway), recorder=recorder, clock=context.clock)
    entrance = Entrance(
        verifier=CertificateVerifier.load(site.public),
        status=authority.status,
        people=directory,
        decide=policies.fresh(engine),
        desk=desk(gateway),
        recorder=recorder,
        clock=context.clock,
    )
    nginx = context.pairs("ca", ["nginx"])
    door = web.side_door(
        authority,
        guard,
        registration=registration,
        directory=directory,
        entrance=entrance,
        pairs=nginx,
        incidents=many,
    )
    app = context.flask(
        "ca",
        guard=guard,
        blueprints=[
            web.public(authority, guard, clock=context.clock),
            web.timestamps(stamping, guard),
            web.units(stamping, guard, origin=site.origin("pki", "plain")),
            web.api(authority, guard, callers=callers),
            web.incident_api(many, guard, callers=callers),
            web.notices(many, guard),
            web.own(
                authority,
                registration,
                guard,
                verifier=context.verifier(site.host(_HOLDERS)),
                clock=context.clock,
                host=site.host(_HOLDERS),
                account=f"{site.origin('sso')}/account",
                incidents=many,
            ),
            web.desk(authority, guard, registration=registration, directory=directory, incidents=many),
            web.tables(authority, bulk, guard, directory=directory),
            web.registrar(authority, guard, registration=registration, bulk=bulk),
            web.peer_tables(authority, bulk, guard, callers=callers),
            door,
            *web.acme(servers, guard),
            web.grants(servers, guard),
            web.inventory(stock, authority, guard, directory=directory),
            web.stock(stock, guard),
            web.overview(counting, stands, stock, guard, clock=context.clock),
            web.numbers(counting, stands, stock, guard),
            web.checks(checker, stock, guard),
            web.findings(checker, stock, guard, callers=callers),
            web.est(devices, guard, pairs=nginx),
            web.enrolments(devices, guard, origins=_est_origins(site)),
        ],
        translations=[Path(web.__file__).parents[1] / "translations"],
        ready=authority.check,
        standing=lambda: {
            **relay.standing(),
            **publisher.standing(),
            **stamping.told(),
            **checked(checker, context.clock),
            "issuers": len(authority.issuers),
        },
    )
    app.wsgi_app = web.quick(app.wsgi_app, authority, clock=context.clock)  # type: ignore[method-assign,assignment]  # as Flask documents
    return app


def watching(context: Context, database: Database, authority: CertificateAuthority, *, relay: Relay) -> Checker:
    """The second look at everything that was issued; it hears the record for itself and begins at once."""
    site = context.site
    settings = context.settings("ca", CASettings)
    findings = Findings(database, outbox=outbox)
    ledger = Ledger(findings=findings, clock=context.clock, instance=settings.instance)
    Follower(context.feed("ca", about=CHECKED), start=ledger.start, hear=ledger.hear, clock=context.clock).start()
    checker = Checker(
        findings=findings,
        ledger=ledger,
        facts=Facts(
            public=site.public,
            profiles=FOLDER,
            blocklists=settings.blocklists,
            oid_base=site.oid_base,
            origin=site.origin("pki", "plain"),
            country=settings.country,
            domain=site.domain,
            instance=settings.instance,
        ),
        published=KeptAnswers(answer_folder(site), lambda issuer, request: authority.ocsp(issuer, request).der),
        clock=context.clock,
        nudge=relay.nudge,
    )
    Watchman(checker, every=settings.check_every).start()
    return checker


def checked(checker: Checker, clock: Clock) -> dict[str, int]:
    """What operators are told of the checker."""
    look = checker.look()
    told = {"check_open": look.open}
    if look.ended is not None:
        told["check_age_seconds"] = int((clock.now() - look.ended).total_seconds())
    return told


def notices(context: Context, database: Database, *, directory: DirectorySource, relay: Relay) -> Notices:
    """Who is told that a certificate ends."""
    site = context.site
    settings = context.settings("ca", CASettings).notices
    chinese = chinese_words([Path(web.__file__).parents[1] / "translations"])
    return Notices(
        board=Board(database),
        settings=settings,
        directory=directory,
        words=Words(
            site=(site.title, site.title_zh),
            kinds={name: (says, chinese(says)) for name, says in web.words.PROFILES.items()},
            where=f"{site.origin(_HOLDERS)}/my",
        ),
        domain=site.domain,
        clock=context.clock,
        mailer=open_mailer(settings, own_name=site.domain),
        webhook=open_webhook(settings),
        nudge=relay.nudge,
    )


def acme(
    context: Context,
    database: Database,
    store: Store,
    authority: CertificateAuthority,
    *,
    directory: DirectorySource,
    recorder: Recorder,
    relay: Relay,
) -> Acme:
    """ACME over the authority's own tables."""
    site = context.site
    return Acme(
        store=AcmeStore(database),
        certificates=store,
        authority=authority,
        directory=directory,
        recorder=recorder,
        clock=context.clock,
        settings=context.settings("ca", CASettings).acme,
        key=context.kept_key("ca", "acme.key"),
        origins=[site.origin(PREFIX.strip("/"), listener) for listener in LISTENERS],
        public=site.public,
        nudge=relay.nudge,
    )


def est(
    context: Context,
    database: Database,
    store: Store,
    authority: CertificateAuthority,
    *,
    queue: Queue,
    directory: DirectorySource,
    recorder: Recorder,
    relay: Relay,
) -> Est:
    """EST over the authority's own tables."""
    settings = context.settings("ca", CASettings)
    return Est(
        store=EstStore(database),
        certificates=store,
        authority=authority,
        verifier=CertificateVerifier.load(context.site.public),
        directory=directory,
        recorder=recorder,
        clock=context.clock,
        settings=settings.est,
        country=settings.country,
        key=context.kept_key("ca", "est.key"),
        public=context.site.public,
        delivery=KeyDelivery(
            authority=authority,
            store=store,
            clock=context.clock,
            path=context.site.folder("ca") / "est-keys.pem",
            host=context.site.host("est"),
        ),
        queue=queue,
        nudge=relay.nudge,
    )


def _est_origins(site: SiteSettings) -> list[str]:
    return [site.origin("est", listener) for listener in LISTENERS]


def _relay(context: Context, store: Store, recorder: Recorder) -> Relay:
    lock = context.site.folder("ca") / "relay.lock"
    return Relay(store.outbox, recorder, source="ca", clock=context.clock, lock=lock)


def verifiers(context: Context, settings: GatewaySettings) -> dict[str, list[IdentityVerifier]]:
    """For each role that may call, what checks the header of persons at the guarded hosts that lead to it."""
    found: dict[str, list[IdentityVerifier]] = {role: [] for role in BUSINESS}
    for label, route in settings.routes.items():
        if route.role in found:
            found[route.role].append(context.verifier(context.site.host(label)))
    return found


def desk(settings: GatewaySettings) -> Desk:
    """The desk as the gateway's route describes it, so that both doors ask the same question."""
    label = "ca"
    route = settings.routes.get(label) or GatewaySettings().routes[label]
    return Desk(
        resource=route.resource or label,
        resource_class=route.resource_class,
        zone=route.zone,
        assurance=route.assurance,
        classification=route.classification,
    )


class Waiting:
    """Devices' requests before the officers at the desk."""

    def __init__(self, registration: Registration) -> None:
        self._registration = registration

    def ask(self, *, device: str, profile: str, csr: bytes, reference: str) -> Decision:
        """How a request stands; see `ca.est.waiting.Queue`."""
        asked = self._registration.ask_as_device(device=device, profile=profile, csr=csr, reference=reference)
        if asked.stage is Stage.ISSUED:
            return Decision(said=Said.YES, serial=asked.serial)
        if asked.stage is Stage.DENIED:
            return Decision(said=Said.NO, reason=asked.reason)
        return Decision(said=Said.NOTHING_YET)


class People(Protocol):
    """Where who asks is looked up."""

    def person(self, subject: str) -> Person:
        """One person; raises NotFound."""
        ...

    def device(self, identifier: str, /) -> Device:
        """One device; raises NotFound."""
        ...


class ShippedPolicies:
    """The policies in force, asked about every person who wants a certificate made.

    A role of the site that asks on its own behalf is no person; the profiles' own rules speak about it.
    """

    def __init__(self, engine: PolicyEngine, *, directory: People, clock: Clock) -> None:
        self._engine = engine
        self._directory = directory
        self._clock = clock

    def decide(self, request: IssueRequest, profile: Profile) -> Verdict:
        """Allow or refuse; an unreadable release refuses rather than keep old rules."""
        machine = request.actor in {ACTOR, EST_ACTOR}
        if request.actor.startswith("role:") and not machine:
            return Verdict(allowed=True, reasons=("role-of-the-site",))
        self._engine.reload()
        asked = self._machine(request, profile) if machine else self._person(request, profile)
        decision = self._engine.decide(asked)
        return Verdict(allowed=decision.allowed, reasons=decision.reasons or (decision.code,), version=decision.version)

    def _machine(self, request: IssueRequest, profile: Profile) -> DecisionRequest:
        """A device asks for itself; an organisation's account asks as a client of that organisation."""
        device = profile.subject is SubjectKind.DEVICE
        return DecisionRequest(
            principal_kind="device" if device else "client",
            subject=request.subject if device else request.caller,
            organisation="" if device else request.subject,
            enabled=self._directory.device(request.subject).enabled if device else True,
            # As sure as the officer who granted the account.
            assurance=profile.assurance,
            action=Action.ISSUE,
            resource=profile.name,
            resource_class=ResourceClass.PKI,
            owner=request.subject,
            classification=0,
            from_zone=_DESK_ZONE,
            to_zone=_DESK_ZONE,
            required_assurance=profile.assurance,
            at=self._clock.now(),
        )

    def _person(self, request: IssueRequest, profile: Profile) -> DecisionRequest:
        person, at = self._directory.person(request.actor), self._clock.now()
        at_desk = not any(role.startswith("role:") for role in request.actor_roles)
        return DecisionRequest(
            principal_kind="person",
            subject=person.subject,
            roles=person.roles | {person.kind.value},
            organisation=person.organisation,
            mandates=frozenset(each.organisation for each in person.mandates if each.until >= at.date()),
            enabled=person.enabled,
            proofing=person.proofing.level,
            assurance=request.assurance,
            clearance=person.clearance,
            action=Action.ISSUE,
            resource=profile.name,
            resource_class=ResourceClass.PKI,
            owner=request.subject,
            classification=0,
            from_zone=request.zone,
            # Self-service stays in the zone it came from; the desk stands in the management network.
            to_zone=_DESK_ZONE if at_desk else request.zone,
            required_assurance=profile.assurance,
            at=at,
        )
