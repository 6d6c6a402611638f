# SPDX-License-Identifier: Apache-2.0
"""The doors by which sign-on, and nobody else, does what people do about their own entry."""

from flask import Blueprint

from core.web import Guard, json_object
from core.web.inputs import Malformed

from ..client import API
from ..service.own import Own


def blueprint(own: Own, guard: Guard) -> Blueprint:
    """All of them."""
    doors = Blueprint("directory_own", __name__, url_prefix=f"{API}/own")

    @doors.get("/<subject>")
    @guard.peer("sso")
    def entry(subject: str) -> dict[str, object]:
        found = own.entry(subject)
        person = found.person
        return {
            "username": person.username,
            "name": person.name,
            "name_zh": person.name_zh,
            "mail": person.mail,
            "organisation": person.organisation,
            "telephone": found.telephone,
            "language": found.language,
            "proofing": person.proofing.level,
            "proofed": person.proofing.date.isoformat() if person.proofing.date else "",
        }

    @doors.put("/<subject>")
    @guard.peer("sso")
    def change(subject: str) -> dict[str, bool]:
        said = _texts("mail", "telephone", "language")
        changed = own.change(subject, mail=said["mail"], telephone=said["telephone"], language=said["language"])
        return {"changed": changed}

    @doors.put("/<subject>/password")
    @guard.peer("sso")
    def change_password(subject: str) -> dict[str, bool]:
        said = _texts("current", "password")
        own.change_password(subject, said["current"], said["password"])
        return {"changed": True}

    @doors.put("/<subject>/password/recovered")
    @guard.peer("sso")
    def recover(subject: str) -> dict[str, bool]:
        own.recover(subject, _texts("password")["password"])
        return {"changed": True}

    return doors


def _texts(*names: str) -> dict[str, str]:
    given = json_object()
    if set(given) != set(names):
        raise Malformed(field=", ".join(names))
    for name in names:
        if not isinstance(given[name], str):
            raise Malformed(field=name)
    return {name: str(given[name]) for name in names}
