# SPDX-License-Identifier: Apache-2.0
"""The page that tells how an entry was changed, field by field, and the two files that prove a change to anybody."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, url_for

from core.errors import N_, Invalid
from core.web import Guard, identity, locale
from core.web.inputs import query_text

from ..errors import BadName, NoSuchDepartment, NoSuchGrant, NoSuchPost
from ..histories import Change, Changes, Difference, Kind, differences
from ..models import ADMINISTRATOR, AGENCY_ADMINISTRATOR
from ..service import Administration
from ..service.remembering import Remembered

PAGE = 25
_LONGEST_NUMBER = 15
_LONGEST_KIND = 20
FIELDS = {
    "account": N_("Account"),
    "act": N_("What was planned"),
    "capacity": N_("Represents as"),
    "day": N_("Day"),
    "entitlement": N_("Entitlement"),
    "level": N_("Level of identity proofing"),
    "mail": N_("Mail"),
    "name": N_("Name"),
    "name_zh": N_("Name in Chinese script"),
    "organisation": N_("Organisation"),
    "parent": N_("Part of"),
    "post": N_("Post"),
    "released": N_("Released"),
    "rights": N_("May read"),
    "role": N_("Role"),
    "scope": N_("For what"),
    "state": N_("State"),
    "telephone": N_("Telephone"),
    "until": N_("Last day"),
    "username": N_("User name"),
    "what": N_("What changed"),
}
VALUES = {
    "enabled": N_("enabled"),
    "disabled": N_("disabled"),
    "employed": N_("in office"),
    "left": N_("let go"),
    "reads": N_("may read"),
    "national number": N_("National number"),
    "password": N_("password"),
    "last days of roles": N_("last days of roles"),
}
_BACK = {
    Kind.PERSON: ("directory.person", "subject"),
    Kind.ORGANISATION: ("directory.organisation", "identifier"),
    Kind.DEVICE: ("directory.devices", ""),
    Kind.ROLE: ("directory.catalogue", ""),
    Kind.SERVICE: ("directory.catalogue", ""),
}


@dataclass(frozen=True, kw_only=True)
class _Line:
    change: Change
    by: str
    whom: str
    within: bool
    differences: list[Difference]


Recorded = Callable[[Remembered], None]


def add(
    desk: Blueprint,
    mine: Callable[[], Administration],
    guard: Guard,
    *,
    changes: Changes,
    recorded: Recorded,
    render: Callable[..., str],
) -> None:
    """These pages, as part of the desk; ``recorded`` puts on record what is read before the record is asked."""

    def remembered(own: Administration, kind: str, identifier: str) -> Remembered:
        try:
            return own.remembered(Kind(kind), identifier)
        except ValueError as error:
            raise Invalid from error

    @desk.get("/history/<kind>/<identifier>")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def history(kind: str, identifier: str) -> str:
        own = mine()
        entry = remembered(own, kind, identifier)
        recorded(entry)
        found, following = changes.of(
            entry.recorded_as, entry.identifier, officer=identity().subject, after=_after(), limit=PAGE,
            language=locale(), opens=entry.opens,
        )  # fmt: skip
        return render(
            own, "history", entry=entry, lines=_lines(own, entry, found), following=following, fields=FIELDS,
            values=VALUES, back=_back(entry), section=_section(entry.kind),
        )  # fmt: skip

    @desk.get("/history/<kind>/<identifier>/<int:index>/<part>")
    @guard.person(ADMINISTRATOR, AGENCY_ADMINISTRATOR)
    def history_proof(kind: str, identifier: str, index: int, part: str) -> Response:
        if part not in ("entry.json", "entry.tlog-proof"):
            raise Invalid
        entry, officer = remembered(mine(), kind, identifier), identity().subject
        recorded(entry)
        if not entry.within.everything:
            # What happened in another agency is told to nobody here, not even as the bytes that were hashed.
            found, _more = changes.of(
                entry.recorded_as, entry.identifier, officer=officer, after=index + 1, limit=1, language=locale(),
                opens=False,
            )  # fmt: skip
            if [each.index for each in found if entry.is_within(each)] != [index]:
                raise NoSuchGrant
        raw, proof = changes.proof(entry.recorded_as, entry.identifier, index, officer=officer)
        is_entry = part == "entry.json"
        answer = Response(raw if is_entry else proof, mimetype="application/json" if is_entry else "text/plain")
        name = f"entry-{index}.{part.partition('.')[2]}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


def _lines(own: Administration, entry: Remembered, found: Sequence[Change]) -> list[_Line]:
    names: dict[str, str] = {}

    def called(subject: str) -> str:
        if subject not in names:
            names[subject] = own.called(subject) if subject else ""
        return names[subject]

    def posts(each: Difference) -> Difference:
        if each.field not in ("post", "parent"):
            return each
        return Difference(each.field, _place(own, each.before, names), _place(own, each.after, names))

    lines = []
    for change in found:
        seen = entry.seen(change)
        opened = seen.sealed or {}
        is_other = seen.subject and seen.subject != entry.identifier
        lines.append(
            _Line(
                change=seen,
                by=opened.get("actor_name") or called(seen.actor) or seen.actor,
                whom=opened.get("name", "") if is_other else "",
                within=entry.is_within(change),
                differences=[posts(each) for each in differences(seen)],
            )
        )
    return lines


def _place(own: Administration, identifier: str, known: dict[str, str]) -> str:
    """A post or department by name; by identifier if it is gone or in another branch."""
    if identifier and identifier not in known:
        known[identifier] = identifier
        for kind in (Kind.POST, Kind.DEPARTMENT):
            try:
                named = own.remembered(kind, identifier).named
            except (NoSuchPost, NoSuchDepartment, BadName):
                continue
            if named is not None:
                zh = getattr(named, "name_zh", "")
                known[identifier] = zh if locale() == "zh" and zh else named.name
                break
    return known.get(identifier, "")


def _back(entry: Remembered) -> str:
    if entry.kind in (Kind.POST, Kind.DEPARTMENT):
        return url_for("directory.organisation", identifier=getattr(entry.named, "organisation", ""))
    endpoint, name = _BACK[entry.kind]
    values: dict[str, Any] = {name: entry.identifier} if name else {}
    return url_for(endpoint, **values)


def _section(kind: Kind) -> str:
    if kind is Kind.PERSON:
        return "people"
    if kind is Kind.DEVICE:
        return "devices"
    return "catalogue" if kind in (Kind.ROLE, Kind.SERVICE) else "organisations"


def _after() -> int | None:
    text = query_text("after", longest=_LONGEST_NUMBER)
    if text and not (text.isascii() and text.isdigit()):
        raise BadName
    return int(text) if text else None
