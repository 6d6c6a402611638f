# SPDX-License-Identifier: Apache-2.0
"""The doors by which sign-on, and nobody else, lets people give and end mandates of their own."""

from datetime import date

from flask import Blueprint

from core.errors import NotFound
from core.web import Guard, json_object
from core.web.inputs import Malformed

from ..client import API
from ..models import Mandate
from ..service import Directory
from ..service.entrusting import Entrusting


def blueprint(entrusting: Entrusting, guard: Guard, *, directory: Directory) -> Blueprint:
    """All of them; ``directory`` tells what everybody is called."""
    doors = Blueprint("directory_entrusting", __name__, url_prefix=f"{API}/own")

    @doors.get("/<subject>/mandates")
    @guard.peer("sso")
    def mandates(subject: str) -> dict[str, object]:
        found, names = entrusting.page(subject), _Names(directory)
        return {
            "held": [names.told(each) for each in found.held],
            "given": [names.told(each) for each in found.given],
            "companies": [
                {
                    "id": company.organisation.id,
                    "name": company.organisation.name,
                    "name_zh": company.organisation.name_zh,
                    "capacity": company.capacity.value,
                    "may_give": company.may_give,
                    "mandates": [names.told(each) for each in company.mandates],
                }
                for company in found.companies
            ],
            "services": [
                {"name": each.name, "title": each.title, "title_zh": each.title_zh or each.title}
                for each in found.offers
            ],
            "latest": found.latest.isoformat(),
        }

    @doors.post("/<subject>/mandates")
    @guard.peer("sso")
    def give(subject: str) -> dict[str, str]:
        said = _texts("holder", "organisation", "scope", "until", "reason")
        try:
            until = date.fromisoformat(said["until"])
        except ValueError as error:
            raise Malformed(field="until") from error
        identifier = entrusting.give(
            subject,
            said["holder"],
            organisation=said["organisation"],
            scope=said["scope"],
            until=until,
            reason=said["reason"],
        )
        return {"id": identifier}

    @doors.post("/<subject>/mandates/end")
    @guard.peer("sso")
    def end(subject: str) -> dict[str, bool]:
        said = _texts("holder", "organisation", "principal", "scope")
        entrusting.end(
            subject,
            said["holder"],
            organisation=said["organisation"],
            principal=said["principal"],
            scope=said["scope"],
        )
        return {"ended": True}

    return doors


class _Names:
    """What everybody on one page is called, each asked for once."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[str, tuple[str, str]] = {"": ("", "")}

    def told(self, of: Mandate) -> dict[str, str]:
        holder, principal, by = (self._called(each) for each in (of.holder, of.principal, of.by))
        company = self._organisation(of.organisation)
        return {
            "organisation": of.organisation,
            "organisation_name": company[0],
            "organisation_name_zh": company[1],
            "principal": of.principal,
            "principal_name": principal[0],
            "principal_name_zh": principal[1],
            "holder": of.holder,
            "holder_name": holder[0],
            "holder_name_zh": holder[1],
            "by_name": by[0],
            "by_name_zh": by[1],
            "service": of.scope,
            "since": of.since.isoformat() if of.since else "",
            "until": of.until.isoformat(),
        }

    def _called(self, subject: str) -> tuple[str, str]:
        if subject not in self._known:
            try:
                found = self._directory.person(subject)
                self._known[subject] = (found.name, found.name_zh or found.name)
            except NotFound:
                # Whoever gave it long ago may be gone.
                self._known[subject] = ("", "")
        return self._known[subject]

    def _organisation(self, identifier: str) -> tuple[str, str]:
        key = f"organisation:{identifier}"
        if identifier and key not in self._known:
            try:
                found = self._directory.organisation(identifier)
                self._known[key] = (found.name, found.name_zh or found.name)
            except NotFound:
                self._known[key] = (identifier, identifier)
        return self._known.get(key, ("", ""))


def _texts(*names: str) -> dict[str, str]:
    given = json_object()
    if set(given) != set(names):
        raise Malformed(field=", ".join(names))
    for name in names:
        if not isinstance(given[name], str):
            raise Malformed(field=name)
    return {name: str(given[name]) for name in names}
