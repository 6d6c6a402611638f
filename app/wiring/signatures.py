# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``signatures``: verification for everybody, seals for the site's own roles; and its birth."""

import secrets
import ssl
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Flask

import signatures.store
from audit import Entry, Event, Recorder, encode_event
from audit.client import LATEST, PATIENCE, Follower
from audit.config import AuditSettings
from audit.relay import Relay
from ca.client import CAClient
from core.calls.outside import Fetcher, Reply
from core.config import secret
from core.db import Database, migrate
from core.fresh import Fresh
from policies.models import Decision, DecisionRequest
from signatures import web
from signatures.agencies import AgencyStore
from signatures.agencies.store import MIGRATIONS as AGENCIES
from signatures.archive import ArchiveStore
from signatures.archive.store import MIGRATIONS as ARCHIVE
from signatures.config import FetchSettings, SignatureSettings
from signatures.holds import Algorithm
from signatures.keeping import KeepingStore
from signatures.models import Level
from signatures.pades.anchors import files_of_site, of_site, stamping_too
from signatures.pades.glyphs import Outlines
from signatures.papers import PaperStore
from signatures.sandbox import ReaderPool
from signatures.service import (
    Agencies,
    ArchiveDesk,
    Archiving,
    Batches,
    Changes,
    Desk,
    Enrolling,
    FollowedLists,
    ForeignStatus,
    Forming,
    Housekeeping,
    IssuerLists,
    Kept,
    Letting,
    ListFetching,
    Once,
    Papers,
    Permission,
    PersonalSigning,
    Placing,
    Reports,
    Responsible,
    Rules,
    Sealing,
    Shutting,
    Verification,
    asked_from,
    stamp_by,
)
from signatures.service.commitment import Commitments
from signatures.service.wishes import Wishes
from signatures.shelf import Shelf
from signatures.shelf.store import MIGRATIONS as SHELF
from signatures.shelf.store import ShelfStore
from signatures.store import Store
from signatures.web import blueprint

from ..context import Context
from ..files import write_secret
from . import policies, signing_client
from .keeping import confirming, sign_on, two_keepers
from .parting import part
from .willing import holds, remote_signing, seal_keys, sign_on_keys

ROLE = "signatures"
# Where people have documents signed.
SIGN = "sign"
CALLERS = ("app", "portal:documents", "audit")
_HERE = Path(signatures.store.__file__).parent


def found(context: Context, recorder: Recorder) -> None:  # noqa: ARG001 - every role is founded alike
    """Make the tables and the key of the commitments; seals come later, from the running authority."""
    path = _commitment_key(context)
    if not path.exists():
        write_secret(path, secrets.token_bytes(32))
    signing_client.found(context)
    _database(context).close()


def application(context: Context) -> Flask:
    """The role's WSGI application, with its relay running."""
    site, settings = context.site, context.settings(ROLE, SignatureSettings)
    database = _database(context)
    store = Store(database, encode=encode_event)
    recorder = context.recorder(ROLE)
    relay = Relay(store.outbox, recorder, source=ROLE, clock=context.clock, lock=site.folder(ROLE) / "relay.lock")
    readers, commitments = ReaderPool(settings), Commitments(secret(_commitment_key(context)))
    # A root or an issuing authority may come while the role runs: read here, so that a site without them is refused.
    trust = Fresh(lambda: of_site(site.public), lambda: files_of_site(site.public))
    trust()
    # The lists of other sites that this one follows; one that is overdue falls out, and the doctor says so.
    followed = _followed(context, recorder, store.tell)
    peer = context.peer(ROLE, "ca")
    authority, changes = CAClient(peer), Changes(latest=LATEST)
    agency_store = part(context, "agencies", AGENCIES, AgencyStore.over)
    follower = Follower(
        context.feed(ROLE, about=(*Changes.about, *Shutting.about)),
        start=changes.start,
        hear=_both(changes.hear, Shutting(store=agency_store, tell=store.tell, clock=context.clock).hear),
        clock=context.clock,
        patience=PATIENCE,
    )
    engine = policies.engine(context)

    def decide(request: DecisionRequest) -> Decision:
        # A release may have come since the last seal; an unreadable one stops seals rather than keep old rules.
        engine.reload()
        return engine.decide(request)

    lists = IssuerLists(
        Kept(asked_from(peer), changes=changes, freshness=follower, clock=context.clock),
        # Time-stamping units have their certificates from another authority than signers, and it too is asked.
        issuers=lambda: stamping_too(trust()) if settings.unit or settings.archive_unit else trust().signing,
    )
    verification = Verification(
        readers=readers,
        trust=lambda: followed.joined(trust(), at=context.clock.now()),
        lists=lists,
        recorder=recorder,
        commitments=commitments,
        clock=context.clock,
        foreign=_foreign(context),
    )
    keys, people = seal_keys(context, settings, store), context.directory(ROLE)
    status = Kept(authority.status, changes=changes, freshness=follower, clock=context.clock)
    lets = Letting(store=agency_store, clock=context.clock)
    permission = Permission(
        people=people,
        decide=decide,
        recorder=recorder,
        wishes=Wishes(
            operators=["app"],
            hosts={
                "portal:documents": context.verifier(site.host("documents")),
                "audit": context.verifier(site.host("audit")),
                # The role's own host: there a person seals what they brought.
                SIGN: context.verifier(site.host(SIGN)),
            },
        ),
        clock=context.clock,
        mandate=settings.mandate,
        lets=lets,
        reports={"audit": context.settings("audit", AuditSettings).evidence_seal},
    )
    forming = Forming(
        readers=readers,
        keys=keys,
        status=status,
        outlines=Outlines.open(settings.font, face=settings.font_face),
        clock=context.clock,
        level=Level(settings.level),
        stamp=stamp_by(peer, settings.unit) if settings.unit else None,
        lists=lists,
        address=lambda commitment: f"{site.origin('verify')}/?document={commitment}",
    )
    kept_by = KeepingStore(database, put=store.put)
    sealing = Sealing(
        store=store,
        permission=permission,
        forming=forming,
        keys=keys,
        authority=authority,
        recorder=recorder,
        nudge=relay.nudge,
        commitments=commitments,
        rules=kept_by.rule,
        clock=context.clock,
    )
    reports = Reports(
        key=secret(_commitment_key(context)),
        by={"en": site.title, "zh": site.title_zh or site.title},
        font=settings.report_font,
        font_face=settings.report_font_face,
    )
    # A role that cannot read would call every document damaged; better it does not start.
    layers = {f"reader_{name}": holds for name, holds in readers.check().items()}
    _begin(relay.start, follower.start, sealing.replay)
    shelf = Shelf(
        folder=site.folder(ROLE) / "shelf",
        store=part(context, "shelf", SHELF, ShelfStore.over),
        key=context.kept_key(ROLE, "shelf.key"),
        clock=context.clock,
    )
    once = Once(sealing=sealing, shelf=shelf, store=agency_store, clock=context.clock, room=settings.kept_bytes_of_all)
    archiving = Archiving(
        store=part(context, "archive", ARCHIVE, ArchiveStore.over),
        shelf=Shelf(
            folder=site.folder(ROLE) / "archive",
            store=part(context, "archive-shelf", SHELF, ShelfStore.over),
            key=context.kept_key(ROLE, "archive.key"),
            clock=context.clock,
        ),
        readers=readers,
        trust=trust,
        lists=lists,
        stamp=stamp_by(peer, settings.archive_unit) if settings.archive_unit else None,
        second=stamp_by(peer, settings.archive_second) if settings.archive_second else None,
        recorder=recorder,
        commitments=commitments,
        clock=context.clock,
        lock=site.folder(ROLE) / "archive.lock",
        rules=Rules(
            grace=settings.archive_grace,
            ahead=settings.archive_ahead,
            ends={name: date.fromisoformat(last) for name, last in settings.archive_ends.items()},
            room=settings.archive_bytes,
        ),
    )
    desk, remote = Desk(shelf=shelf, readers=readers, settings=settings), remote_signing(context, settings)
    second, keeping = two_keepers(
        context,
        settings,
        store=kept_by,
        sealing=sealing,
        permission=permission,
        once=once,
        desk=desk,
        shelf=shelf,
        readers=readers,
        recorder=recorder,
        nudge=relay.nudge,
    )
    batches = Batches(
        store=agency_store,
        shelf=shelf,
        once=once,
        orders=second,
        organisations=permission,
        lets=lets,
        recorder=recorder,
        clock=context.clock,
        folder=site.folder(ROLE) / "batches",
        most=settings.batch_most,
        room=settings.kept_bytes_of_all,
        lifetime=settings.kept_for,
        together=settings.readers,
    )
    agencies = Agencies(
        store=agency_store,
        shelf=shelf,
        once=once,
        orders=second,
        organisations=permission,
        recorder=recorder,
        tell=store.tell,
        clock=context.clock,
    )
    placing = Placing(desk=desk, readers=readers, sealing=second, people=context.directory(ROLE))
    paper_store = PaperStore(database, put=store.put)
    papers = Papers(
        store=paper_store,
        shelf=shelf,
        desk=desk,
        placing=placing,
        sealing=sealing,
        orders=second,
        recorder=recorder,
        nudge=relay.nudge,
        clock=context.clock,
        signed=lambda subject, document, since: remote.signed(subject, commitments.of(document), since=since),
        largest=settings.largest,
        most_bytes_of_all=settings.kept_bytes_of_all,
    )
    _begin(partial(second.lead, papers=papers, batches=batches), second.replay, batches.run)
    remote_relay = Relay(
        remote.outbox, recorder, source=ROLE, clock=context.clock, lock=site.folder(ROLE) / "remote.lock"
    )
    enrolling = Enrolling(
        store=remote,
        holds=holds(context, settings),
        make_of=settings.keys,
        algorithm=Algorithm(settings.key_kind),
        authority=authority,
        status=status,
        people=people,
        recorder=recorder,
        nudge=remote_relay.nudge,
        clock=context.clock,
    )
    asking = sign_on(context)
    personal = PersonalSigning(
        store=remote,
        shelf=shelf,
        limits=desk.limits,
        enrolling=enrolling,
        asking=asking,
        keys=lambda: sign_on_keys(context),
        forming=forming,
        commitments=commitments,
        recorder=recorder,
        nudge=remote_relay.nudge,
        clock=context.clock,
        audience=site.origin(SIGN),
        zone=ZoneInfo(settings.time_zone),
        patience=settings.confirm_within,
    )
    _begin(remote_relay.start, personal.replay)
    Housekeeping([desk.tidy, sealing.replay, second.replay, batches.tidy, archiving.work, personal.replay]).start()
    guard, largest = context.guard(ROLE, audience=site.host(SIGN), callers=CALLERS), settings.largest
    shown, responsible = (
        web.Shown(desk, enrolling, issuer=personal.issuer, largest=largest),
        Responsible(people=people, clock=context.clock, mandate=settings.mandate),
    )
    confirms = confirming(context, settings, store=remote, orders=second, asking=asking, recorder=recorder)
    parts = [
        web.verifying(verification, reports, largest=largest),
        web.comparing(verification, largest=largest),
        web.sealing(sealing, second, keeping, largest=largest),
        web.agencies(agencies, batches, verification, largest=largest),
        web.archive(agencies, archiving, largest=largest),
        web.placing(placing, block=personal.size_of_block, issuer=personal.issuer),
        web.seconding(second, keeping, confirms, shown, placing=placing),
        web.papers(papers, placing=placing, desk=desk, clock=context.clock),
        web.batches(batches, responsible),
        web.archive_pages(
            ArchiveDesk(
                archiving=archiving,
                desk=desk,
                responsible=responsible,
                roots=lambda: trust().roots,
                recorder=recorder,
                clock=context.clock,
            )
        ),
        web.registers(paper_store, clock=context.clock),
        web.own(
            desk,
            verification,
            shown,
            host=site.host(SIGN),
            account=f"{site.origin('sso')}/account",
            largest=largest,
        ),
        web.signing(enrolling, personal, shown, papers=papers, confirming=confirms),
        web.paper_programs(agencies, papers, largest=largest),
        web.orders(agencies, second),
    ]
    return context.flask(
        ROLE,
        guard=guard,
        blueprints=[blueprint(guard, parts, largest=largest)],
        translations=[_HERE / "translations"],
        ready=store.check,
        standing=lambda: {**relay.standing(), **layers, **(archiving.standing() if settings.archive_unit else {})},
    )


def _both(*hearers: Callable[[Sequence[Entry]], None]) -> Callable[[Sequence[Entry]], None]:
    def hear(entries: Sequence[Entry]) -> None:
        for each in hearers:
            each(entries)

    return hear


def _begin(*works: Callable[[], object]) -> None:
    for work in works:
        work()


def _followed(context: Context, recorder: Recorder, tell: Callable[[Event], None]) -> FollowedLists:
    """The lists of others, asked for in a thread of its own: whoever is slow to answer keeps nothing else waiting."""
    settings = context.settings(ROLE, SignatureSettings).fetching
    followed = FollowedLists(context.site.folder(ROLE) / "lists", settled=settings.lists)
    if not settings.lists:
        return followed
    fetcher = Fetcher(
        context=_outside(settings),
        private=settings.private,
        timeout=settings.within.total_seconds(),
        largest=settings.largest,
    )
    fetching = ListFetching(
        lists=followed,
        rules=settings.lists,
        get=lambda url, headers: fetcher.ask("GET", url, body=None, headers=headers),
        recorder=recorder,
        tell=tell,
        clock=context.clock,
        lock=context.site.folder(ROLE) / "lists.lock",
    )
    Housekeeping([fetching.work]).start()
    return followed


def _foreign(context: Context) -> ForeignStatus | None:
    """The way out to issuers that are not ours; none, unless the settings name one."""
    settings = context.settings(ROLE, SignatureSettings).fetching
    if not settings.hosts:
        return None
    fetcher = Fetcher(
        context=_outside(settings),
        private=settings.private,
        timeout=settings.status_within.total_seconds(),
        largest=settings.status_largest,
        # What comes is signed by itself, and issuers offer it over http.
        plain=True,
    )

    def send(url: str, question: bytes | None) -> Reply:
        return fetcher.get(url) if question is None else fetcher.post(url, question, kind="application/ocsp-request")

    return ForeignStatus(hosts=settings.hosts, send=send, within=settings.status_within, clock=context.clock)


def _outside(settings: FetchSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.authorities) if settings.authorities else None)


def _database(context: Context) -> Database:
    database = context.database(ROLE)
    migrate(database, _HERE / "migrations")
    return database


def _commitment_key(context: Context) -> Path:
    return context.site.folder(ROLE) / "commitment.key"
