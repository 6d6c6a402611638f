# SPDX-License-Identifier: Apache-2.0
"""Where entries leave to: how each target stands, what officers can do to it, and the signed exports."""

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, redirect, render_template
from werkzeug.wrappers import Response as Answer

from core.web import Guard, form_text

from ..console import Console
from ..exports import ALLOWED_FOR, LISTED, BadReplay, ExportDesk, NoSuchTarget
from ..exports.words import KINDS, standing_words
from ..models import Reader
from .asked import file, officer, parameters, place
from .blueprint import ROLE, Pages

_BEHIND = 10_000
_DIGITS = 16
Consent = Callable[[Reader, str], str]
"""The warrant under which this officer lets personal parts leave for a target; raises where there is none."""


def exporting(
    console: Console, *, desk: ExportDesk, folder: Path, consent: Consent | None = None, assurance: int = 1
) -> Pages:
    """The officers' page of exports; ``folder`` holds the signed ones."""

    def pages(made: Blueprint, guard: Guard) -> None:
        _reading(made, guard, console, desk, folder, assurance=assurance, consented=consent is not None)
        _acting(made, guard, desk, consent, assurance)

    return pages


def _reading(
    made: Blueprint,
    guard: Guard,
    console: Console,
    desk: ExportDesk,
    folder: Path,
    *,
    assurance: int,
    consented: bool,
) -> None:
    @made.get("/exports")
    @guard.person(ROLE, assurance=assurance)
    def exports() -> str:
        given = parameters(only=("before", "lang"))
        before = place(given["before"][0]) if given.get("before") else None
        signed = desk.signed(below=before, limit=LISTED + 1)
        console.record("audit.searched", officer(), attributes={"view": "exports"})
        return render_template(
            "audit/exports.html",
            standings=desk.standings(),
            signed=signed[:LISTED],
            older=signed[LISTED - 1].first if len(signed) > LISTED else None,
            first=before is None,
            kinds=KINDS,
            told=standing_words,
            consented=consented,
            now=desk.now(),
            days=ALLOWED_FOR.days,
            much=_BEHIND,
        )

    @made.get("/exports/signed/<first>.zip")
    @guard.person(ROLE, assurance=assurance)
    def signed_export(first: str) -> Response:
        number = place(first)
        found = desk.signed_at(number)
        who, count = officer(), found.last - found.first + 1
        warrant = console.letting_out(who, found.first, count)
        # Recorded before it is shown, as a reading of the whole range.
        console.record("audit.read", who, attributes={"first": found.first, "count": count, "warrant": warrant})
        return file((folder / found.name).read_bytes(), "application/zip", found.name)


def _acting(made: Blueprint, guard: Guard, desk: ExportDesk, consent: Consent | None, assurance: int) -> None:
    @made.post("/exports/<name>/<any(pause, resume, replay, allow, forbid):verb>")
    @guard.person(ROLE, assurance=assurance)
    def change_export(name: str, verb: str) -> Answer:
        who = officer()
        if verb == "replay":
            text = form_text("first", longest=_DIGITS)
            if not (text.isascii() and text.isdecimal()):
                raise BadReplay(index=text)
            desk.replay(name, int(text), by=who)
        elif verb == "allow":
            if consent is None:
                raise NoSuchTarget
            desk.allow(name, by=who, warrant=consent(who, name))
        elif verb == "forbid":
            desk.forbid(name, by=who)
        else:
            desk.pause(name, paused=verb == "pause", by=who)
        return redirect("/exports", code=303)
