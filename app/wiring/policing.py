# SPDX-License-Identifier: Apache-2.0
"""Composes the policy desk, which stands in the audit role's process and holds no key, and the operator's clerk."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint

from audit.console import Console
from audit.models import Reader
from audit.search import Row, parse
from core.clock import Clock
from core.config import Document
from core.errors import TallygateError
from core.log import logger
from core.web import Guard
from policies.bundle import JOURNAL
from policies.clerk import Clerk
from policies.config import PolicySettings
from policies.desk import Desk, DeskStore
from policies.keys import read_policy_key
from policies.models import Past
from policies.record import TYPES, past
from policies.web import blueprint

from ..context import Context
from ..in_force import say, stated

EVERY = 0.5
"""Seconds between two looks of the clerk for orders."""
_PAGE = 500
_ENTRY = (
    "type", "source", "zone", "subject", "actor", "object", "organisation", "session", "decision", "policy",
)  # fmt: skip
_log = logger(__name__)


def pages(context: Context, guard: Guard, console: Console, *, assurance: int) -> Blueprint:
    """The desk's addresses; its tables lie in the audit role's folder."""
    site, recorder = context.site, context.recorder("audit")
    desk = Desk(
        store=DeskStore.open(site.folder("audit") / "policy-desk.db"),
        folder=site.public / "policies",
        key=read_policy_key(site.public / "policy-key.pem"),
        administrators=_administrators(context, "audit"),
        decisions=recorded(console, context.clock),
        recorder=recorder,
        clock=context.clock,
    )
    return blueprint(desk, guard, assurance=assurance)


def recorded(console: Console, clock: Clock) -> Callable[[Reader, int], Iterator[Past]]:
    """Decisions as the record's index has them, without anybody's personal part; each page of it is recorded."""

    def decisions(reader: Reader, days: int) -> Iterator[Past]:
        since = (clock.now() - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")
        for kind in TYPES:
            after: int | None = None
            while True:
                asked = {"type": [kind], "from": [since], "limit": [str(_PAGE)]}
                page = console.search(reader, parse(asked | ({"after": [str(after)]} if after else {})), unseal=False)
                yield from filter(None, (past(_document(hit.row)) for hit in page.hits))
                after = page.next
                if after is None:
                    break

    return decisions


def clerk(context: Context) -> Clerk:
    """Who carries out orders: the operator, who has the policy key."""
    site = context.site
    key_file = site.folder("policies") / "release.key"
    return Clerk(
        desk=context.peer("app", "audit"),
        folder=site.public / "policies",
        key_file=key_file,
        journal=key_file.with_name(JOURNAL),
        recorder=lambda: context.recorder("app"),
        clock=context.clock,
        administrators=_administrators(context, "app"),
    )


def serve_clerk(context: Context) -> None:
    """Carry out orders beside the supervisor, for as long as it lives."""
    served = clerk(context)

    def work() -> None:
        pause = threading.Event()
        while not pause.wait(EVERY):
            try:
                served.round()
            except TallygateError as error:
                # The desk restarts, or the site's file is being written: what waits is done in the next round.
                _log.info("clerk_waits", code=error.code)
            except Exception:  # noqa: BLE001 - without its thread orders would wait for ever
                _log.error("clerk_failed", exc_info=True)

    threading.Thread(target=work, name="policy-clerk", daemon=True).start()


def _administrators(context: Context, role: str) -> Callable[[], Mapping[str, str]]:
    recorded = stated(context.document)

    def administrators() -> Mapping[str, str]:
        nonlocal recorded
        # Read anew: whoever is taken off the list signs nothing from that moment on. Whoever was put on it signs when
        # the record tells that the list is another one.
        document = Document.read(context.path)
        if not (found := stated(document)).same(recorded):
            say(context, role, found)
            recorded = found
        return document.section("policies", PolicySettings).administrators

    return administrators


def _document(row: Row) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _ENTRY},
        "time": row.at.isoformat(),
        "outcome": row.outcome.value,
        "attributes": dict(row.attributes),
    }
