# SPDX-License-Identifier: Apache-2.0
"""The inventory's pages: search, who holds what, one certificate, export. Officers' reading is recorded before."""

from collections.abc import Callable
from datetime import date
from typing import TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Kind, TallygateError
from core.web import Guard, identity
from core.web.inputs import Malformed, query_text

from ..inventory import Form, Inventory, Query, Reader, Sought
from ..inventory.export import MEDIA
from ..models import Standing, read_authority, read_serial
from ..service import CertificateAuthority
from ..x509 import PROFILES
from . import words
from .desk import ROLE
from .visitors import PersonSource

T = TypeVar("T")
_LONGEST = 128
_KEY = 64
_CURSOR = 48
FIELDS = (
    "holder",
    "name",
    "serial",
    "key",
    "profile",
    "issuer",
    "state",
    "issued_from",
    "issued_to",
    "expires_from",
    "expires_to",
)


def inventory(
    service: Inventory, authority: CertificateAuthority, guard: Guard, *, directory: PersonSource
) -> Blueprint:
    """The pages, behind the gateway."""
    blueprint = Blueprint("ca_inventory", __name__, template_folder="../templates")

    @blueprint.context_processor
    def names() -> dict[str, object]:
        return {
            "words": words,
            "desk": "ca",
            "Standing": Standing,
            "expired": authority.expired,
            "profiles": PROFILES,
            "issuers": authority.issuers,
            "Sought": Sought,
        }

    @blueprint.get("/inventory")
    @guard.person(ROLE)
    def search() -> ResponseReturnValue:
        query, given = read_query(), _given()
        if query.holder:
            query = _resolved(query, directory)
        found = service.search(query, reader(), after=query_text("after", longest=_CURSOR))
        more = url_for("ca_inventory.search") + f"?{urlencode({**given, 'after': found.more})}" if found.more else ""
        exports = {
            form: url_for("ca_inventory.export", form=form.value) + (f"?{urlencode(given)}" if given else "")
            for form in Form
        }
        return render_template("ca/inventory.html", found=found, given=given, more=more, exports=exports)

    @blueprint.get("/inventory/certificates/<serial>")
    @guard.person(ROLE)
    def show(serial: str) -> ResponseReturnValue:
        return render_template("ca/inventory_certificate.html", held=service.one(read_serial(serial), reader()))

    @blueprint.get("/inventory/holders/<subject>")
    @guard.person(ROLE)
    def holder(subject: str) -> ResponseReturnValue:
        if len(subject) > _LONGEST or not subject.isprintable():
            raise Malformed(field="subject")
        after, devices = query_text("after", longest=_CURSOR), query_text("devices", longest=16)
        found = service.holder(subject, reader(), after=after, devices_after=devices)
        return render_template("ca/holder.html", holding=found)

    @blueprint.get("/inventory/holders")
    @guard.person(ROLE)
    def find_holder() -> ResponseReturnValue:
        sought = query_text("who", longest=_LONGEST).strip()
        if not sought:
            return redirect(url_for("ca_inventory.search"))
        subject = _resolved(Query(holder=sought), directory).holder
        return redirect(url_for("ca_inventory.holder", subject=subject))

    @blueprint.get("/inventory/export.<any(csv, jsonl):form>")
    @guard.person(ROLE)
    def export(form: str) -> Response:
        return exported(service, Form(form), _resolved(read_query(), directory))

    return blueprint


def exported(service: Inventory, form: Form, query: Query) -> Response:
    """An export, streamed; recorded before its first byte."""
    lines = service.export(query, form, reader())
    headers = {
        "Content-Disposition": f'attachment; filename="certificates.{form.value}"',
        "Cache-Control": "no-store",
    }
    return Response(lines, content_type=MEDIA[form], headers=headers)


def reader() -> Reader:
    """The officer whom the gateway let through."""
    found = identity()
    return Reader(subject=found.subject, zone=found.zone)


def read_query() -> Query:
    """The conditions of an address.

    Raises:
        Malformed: one of them cannot be.
        BadSerial: a serial is none.
    """
    profile, issuer, key = query_text("profile", longest=32), query_text("issuer", longest=32), _text("key").lower()
    if profile and profile not in PROFILES:
        raise Malformed(field="profile")
    if issuer and read_authority(issuer) is None:
        raise Malformed(field="issuer")
    key = key.replace(":", "")
    if key and (len(key) != _KEY or not set(key) <= set("0123456789abcdef")):
        raise Malformed(field="key")
    serial = _text("serial")
    return Query(
        holder=_text("holder"),
        name=_text("name"),
        serial=read_serial(serial) if serial else "",
        key=key,
        profile=profile,
        issuer=issuer,
        state=_read("state", Sought),
        issued_from=_read("issued_from", date.fromisoformat),
        issued_to=_read("issued_to", date.fromisoformat),
        expires_from=_read("expires_from", date.fromisoformat),
        expires_to=_read("expires_to", date.fromisoformat),
    )


def _text(name: str) -> str:
    return query_text(name, longest=_LONGEST).strip()


def _read(name: str, read: Callable[[str], T]) -> T | None:
    text = query_text(name, longest=20)
    try:
        found = read(text) if text else None
    except ValueError as error:
        raise Malformed(field=name) from error
    if isinstance(found, date) and not 2000 <= found.year < 2200:  # noqa: PLR2004 - what a certificate of ours can say
        raise Malformed(field=name)
    return found


def _given() -> dict[str, str]:
    return {name: value for name in FIELDS if (value := request.args.get(name, "").strip())}


def _resolved(query: Query, directory: PersonSource) -> Query:
    """Whoever is named by user name is looked for by identifier."""
    if not query.holder:
        return query
    try:
        subject = directory.person_by_username(query.holder).subject
    except TallygateError as error:
        # What is no user name is an identifier; a directory that is down must not stop the inventory.
        if error.kind in (Kind.NOT_FOUND, Kind.INVALID, Kind.UNAVAILABLE):
            return query
        raise
    return Query(**{**vars(query), "holder": subject})
