# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``ca``: authority, relay, housekeeping and its pages."""

import threading
from datetime import timedelta
from pathlib import Path

from flask import Flask

from audit.client import PATIENCE, Follower
from ca import CASettings, CertificateVerifier, ceremony, web
from ca.acme.notes import ACTOR
from ca.incidents import IncidentKeeper
from ca.inventory import Counting, Inventory, Stock
from ca.notices import NoticeKeeper
from ca.press import Press
from ca.registration import Registration, Requests
from ca.registration.bulk import Bulk, Jobs, Workshop
from ca.service import (
    ABOUT,
    AnswerKeeper,
    Callers,
    Entrance,
    Housekeeping,
    Publisher,
    Reconciliation,
    StampKeeper,
    open_authority,
    open_stamping,
)
from ca.store import ListFolder, Store
from core.db import migrate
from directory.client import NumberingClient, PublishingClient
from directory.models import Scope
from gateway import GatewaySettings

from ..context import Context
from . import founding, policies
from .enrolling import Waiting, acme, est, est_origins
from .incidents import incidents
from .overseeing import HOLDERS, checked, notices, watching
from .permitting import ShippedPolicies, desk, verifiers

# Devices of an organisation on one page of who holds what.
_DEVICES = 20


def application(context: Context) -> Flask:
    """The running role: public facts, the peer API, the desk and its side door."""
    site = context.site
    settings = context.settings("ca", CASettings)
    database = context.database("ca")
    migrate(database, ceremony.MIGRATIONS)
    store = Store(database)
    recorder = context.recorder("ca")
    directory, engine = context.directory("ca"), policies.engine(context)
    relay = founding.relay(context, store, recorder)
    agreement = Reconciliation(store=store, clock=context.clock, instance=settings.instance, nudge=relay.nudge)
    follower = Follower(
        context.feed("ca", about=ABOUT),
        start=agreement.start,
        hear=agreement.hear,
        clock=context.clock,
        patience=PATIENCE,
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
        codes=NumberingClient(context.peer("ca", "directory")).code,
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

    lists = ListFolder(site.socket("ca").parent / "crl")

    def tidy() -> None:
        registration.tidy()
        for issuer in authority.issuers:
            lists.write(issuer, authority.crl(issuer).der)
        counting.round()

    Housekeeping(authority, tidy=tidy).start()
    checker = watching(context, database, authority, directory=directory, relay=relay)
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
        tell=lambda serials, explanation: told.tell(serials, explanation=explanation, apart_from=ACTOR),
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
        port=lambda listener: int(getattr(site.ports, listener, 0)),
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
                verifier=context.verifier(site.host(HOLDERS)),
                clock=context.clock,
                host=site.host(HOLDERS),
                account=f"{site.origin('sso')}/account",
                incidents=many,
            ),
            web.peer_tables(authority, bulk, guard, callers=callers),
            *web.recorded(
                [
                    web.incident_registrar(many, guard),
                    web.desk(authority, guard, registration=registration, directory=directory, incidents=many),
                    web.tables(authority, bulk, guard, directory=directory),
                    web.registrar(authority, guard, registration=registration, bulk=bulk),
                    web.grants(servers, guard),
                    web.enrolments(devices, guard, origins=est_origins(site)),
                ],
                stock,
                web.by_gateway,
            ),
            *web.recorded([door], stock, web.at_the_door),
            *web.acme(servers, guard),
            web.inventory(stock, authority, guard, directory=directory),
            web.stock(stock, guard),
            web.overview(counting, stands, stock, guard, board=told.board, clock=context.clock),
            web.numbers(counting, stands, stock, guard),
            web.checks(checker, stock, guard),
            web.findings(checker, stock, guard, callers=callers),
            web.est(devices, guard, pairs=nginx),
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
