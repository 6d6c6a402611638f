# SPDX-License-Identifier: Apache-2.0
"""Which evidence the running site has for GB/T 22239-2019 level 3 and for the tenets of NIST SP 800-207.

Every look reads what is in force now: a setting, a trial made at that moment, or the record. One examination reads each
of them once; the next one reads anew.
"""

import base64
import functools
import io
import json
from collections.abc import Sequence
from contextlib import closing

from audit import Event, Outcome, Wait, new_key
from audit.config import AuditSettings
from audit.console import IndexCounting
from audit.published import Reading
from audit.store import IndexChecked
from audit.web import Clause, Standards, examined
from directory.config import DirectorySettings
from gateway import GatewaySettings
from policies.config import PolicySettings
from policies.service import PolicyEngine
from sso.config import SSOSettings

from ..context import Context
from ..workers import WORKERS
from . import alerts, policies
from .complying_clauses import level_three, tenets
from .complying_record import Recorded
from .complying_settings import InForce
from .complying_trials import Entrance, Trials
from .watching import reading_of

_WORDS = (
    {True: "shown", False: "not so", None: "no evidence here"},
    {True: "已证实", False: "不符合", None: "本处无证据"},
)
_BEYOND = (
    "the site's own network or organisation must show the rest",
    "其余由站点自身的网络或机构证明",
)
_OWN = ("the site's own network or organisation must show this", "由站点自身的网络或机构证明")


def standards(context: Context, opened: Reading) -> tuple[tuple[str, Sequence[Clause]], ...]:
    """The standards and their clauses, over this site, for one examination."""
    trials, force, record = _looks(context, opened)
    return (
        ("GB/T 22239-2019, 8.1 (level 3)", level_three(trials, force, record)),
        ("NIST SP 800-207, 2.1", tenets(trials, force, record)),
    )


def examined_by_operator(context: Context, *, paper: bool) -> bytes:
    """What the officers' page shows, as JSON, for the operator's command, which runs as the audit role's user.

    Raises:
        RecordUnavailable: that somebody looked could not be recorded, so nothing is shown.
    """
    recorder = context.recorder("audit")
    try:
        recorder.record(
            Event(
                key=new_key(),
                type="audit.searched",
                outcome=Outcome.SUCCESS,
                at=context.clock.now(),
                source="audit",
                actor="role:app",
                attributes={"view": "compliance", "reader": "app"},
            ),
            wait=Wait.PUBLISHED,
        )
    finally:
        recorder.close()
    found = [(name, examined(clauses)) for name, clauses in standards(context, reading_of(context))]
    rows = [
        {
            "standard": name,
            "clause": row.clause.number,
            "asks": row.clause.asks,
            "asks_zh": row.clause.asks_zh,
            "kind": row.clause.kind,
            "found": _WORDS[0][row.met],
            "evidence": list(row.shown),
            "beyond": [line for chinese in (False, True) for line in _left(row.clause, chinese=chinese)],
        }
        for name, each in found
        for row in each
    ]
    made = base64.b64encode(on_paper(context, found)).decode() if paper else ""
    return json.dumps({"rows": rows, "paper": made}).encode()


def _left(clause: Clause, *, chinese: bool) -> Sequence[str]:
    """Who else has to show something."""
    if clause.look is None:
        return [_OWN[chinese]]
    return [_BEYOND[chinese]] if clause.beyond else []


def _looks(context: Context, opened: Reading) -> tuple[Trials, InForce, Recorded]:
    now, site = context.clock.now(), context.site
    counting = IndexCounting(opened.index)

    @functools.cache
    def engine() -> PolicyEngine:
        # Loading verifies the signature and runs the bundle's own tests again; once for one examination.
        return policies.engine(context)

    def alarms() -> dict[str, int]:
        found = alerts.rules(context)
        return {"in force": len(found.rules), "switched off": len(found.off), "refused": len(found.refused)}

    hosts, people = context.settings("gateway", GatewaySettings), context.settings("directory", DirectorySettings)
    entrances = (
        Entrance(label=label, listener=route.zone, path=route.device[0].removesuffix("*"))
        for label, route in hosts.routes.items()
        if route.device
    )
    trials = Trials(
        site=site,
        engine=engine,
        empty=policies.without(context),
        now=now,
        entrance=next(entrances, None),
        # A server that is not the site's own is its operator's to show.
        suffix="" if people.url else people.suffix,
    )
    force = InForce(
        gateway=hosts,
        sso=context.settings("sso", SSOSettings),
        audit=context.settings("audit", AuditSettings),
        directory=people,
        policies=context.settings("policies", PolicySettings),
        zones=lambda: engine().zones,
        workers=WORKERS["gateway"],
    )
    record = Recorded(
        log=opened.log,
        counts=lambda since, until: counting(since, until, daily=True),
        checked=lambda: IndexChecked.read(site.folder("audit")),
        alarms=alarms,
        now=now,
    )
    return trials, force, record


def on_paper(context: Context, found: Standards) -> bytes:
    """The report as a PDF, in English and 中文."""
    # The font tools are loaded when a paper is made, and not before.
    from core.paper import Face, Section, table  # noqa: PLC0415

    settings, now, words = context.settings("audit", AuditSettings), context.clock.now(), _WORDS
    made = io.BytesIO()
    sections = [
        Section(
            title=name,
            before=" · ".join(f"{words[chinese][met]} {sum(row.met is met for row in rows)}" for met in words[chinese]),
            rows=[
                (
                    row.clause.number,
                    (
                        row.clause.asks_zh if chinese else row.clause.asks,
                        words[chinese][row.met],
                        *row.shown,
                        *_left(row.clause, chinese=chinese),
                    ),
                )
                for row in rows
            ],
        )
        for chinese in (False, True)
        for name, rows in found
    ]
    title = f"Compliance · 合规情况 · {context.site.title} · {context.site.title_zh}"
    foot = f"{context.site.name} · {now:%Y-%m-%d %H:%M} UTC"
    with closing(Face(settings.evidence_font, face=settings.evidence_font_face)) as face:
        table(made, title, sections, foot=foot, face=face)
    return made.getvalue()
