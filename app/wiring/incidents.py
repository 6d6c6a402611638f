# SPDX-License-Identifier: Apache-2.0
"""Composes incidents from what registration, ACME and EST know, which are strangers to each other."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from ca.acme import Acme
from ca.acme.models import Window
from ca.acme.store import Store as AcmeStore
from ca.config import IncidentSettings
from ca.est.notes import ACTOR as EST_ACTOR
from ca.est.store import Store as EstStore
from ca.incidents import Incidents, Runner
from ca.incidents import Store as IncidentStore
from ca.incidents.service import People
from ca.registration import Requests
from ca.service import CertificateAuthority
from ca.store import Store
from core.clock import Clock
from core.db import Database
from core.site import SiteSettings

_PAST = timedelta(hours=1)
NOTICES = "/notices"
"""Below this lie the public pages, on the host of ACME."""


class Trails:
    """Who led to which certificate."""

    def __init__(self, database: Database) -> None:
        self._certificates = Store(database)
        self._requests = Requests(database)
        self._acme = AcmeStore(database)
        self._est = EstStore(database)

    def of_officer(self, officer: str) -> Iterable[str]:
        """By approvals, by grants of ACME accounts, and whatever a device got by EST since it was allowed to enrol."""
        yield from self._requests.approved_by(officer)
        yield from self._acme.orders.granted_by(officer)
        for device, since in self._est.allowed_by(officer).items():
            before = 0
            while True:
                found, before = self._certificates.certificates(subject=device, before=before, limit=200)
                yield from (each.serial for each in found if each.actor == EST_ACTOR and each.created >= since)
                if not before or found[-1].created < since:
                    break

    def of_account(self, account: str) -> Iterable[str]:
        """By its orders."""
        return self._acme.orders.issued_to(account)


def incidents(
    *,
    site: SiteSettings,
    database: Database,
    authority: CertificateAuthority,
    acme: Acme,
    directory: People,
    clock: Clock,
    settings: IncidentSettings,
    tell: Callable[[Sequence[str], str], object] = lambda _serials, _explanation: None,
    nudge: Callable[[], None] = lambda: None,
    woken: threading.Event | None = None,
) -> tuple[Incidents, Runner]:
    """The verbs, and what carries them out.

    ``tell`` has holders told who do not ask by ACME; ``woken`` is set when there is work.
    """
    store, certificates = IncidentStore(database), Store(database)

    def ask(serials: Sequence[str], *, explanation: str) -> None:
        # In the past: clients renew as soon as they hear of it.
        now = clock.now()
        acme.renewal.ask_for(serials, Window(start=now - 2 * _PAST, end=now - _PAST, explanation=explanation))
        tell(serials, explanation)

    def address(identifier: str) -> str:
        return f"{site.origin('acme', 'external')}{NOTICES}/{identifier}"

    verbs = Incidents(
        store=store,
        certificates=certificates,
        traces=Trails(database),
        directory=directory,
        clock=clock,
        settings=settings,
        address=address,
        nudge=nudge,
        wake=woken.set if woken else lambda: None,
    )
    runner = Runner(
        store=store,
        authority=authority,
        ask=ask,
        waiting=lambda: certificates.outbox.standing().waiting,
        clock=clock,
        settings=settings,
        address=address,
        nudge=nudge,
    )
    return verbs, runner
