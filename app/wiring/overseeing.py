# SPDX-License-Identifier: Apache-2.0
"""Composes what looks at certificates after they were issued: the checker, and who tells holders that one ends."""

from pathlib import Path

from audit.client import Follower
from audit.relay import Relay
from ca import CASettings, web
from ca.checker import ABOUT as CHECKED
from ca.checker import Checker, Facts, Findings, KeptAnswers, Ledger, Watchman
from ca.notices import Board, Notices, Words, open_mailer, open_webhook
from ca.service import LEAVERS, CertificateAuthority, DirectorySource, Leavers, Overlooked, answer_folder
from ca.store import Store
from ca.store.tables import outbox
from ca.x509.profiles import FOLDER
from core.clock import Clock
from core.db import Database
from core.web import chinese_words

from ..context import Context

HOLDERS = "certificates"
"""Host where holders look after their own certificates."""


def watching(
    context: Context,
    database: Database,
    authority: CertificateAuthority,
    *,
    directory: DirectorySource,
    relay: Relay,
) -> Checker:
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
    _follow_leavers(context, Store(database), authority, directory)
    return checker


def _follow_leavers(
    context: Context, store: Store, authority: CertificateAuthority, directory: DirectorySource
) -> None:
    """Suspend what was issued to whoever is shut out or leaves, and release it for whoever is let in again."""
    place = context.site.folder("ca") / "leavers.position"
    leavers = Leavers(store=store, changes=authority, clock=context.clock, place=place)
    feed = context.feed("ca", about=LEAVERS)
    Follower(feed, start=leavers.start, hear=leavers.hear, clock=context.clock).start()
    looked = place.with_name("overlooked.position")
    Overlooked(store=store, people=directory, leavers=leavers, clock=context.clock, place=looked).start()


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
            where=f"{site.origin(HOLDERS)}/my",
        ),
        domain=site.domain,
        clock=context.clock,
        mailer=open_mailer(settings, own_name=site.domain),
        webhook=open_webhook(settings),
        nudge=relay.nudge,
    )
