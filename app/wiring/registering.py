# SPDX-License-Identifier: Apache-2.0
"""Sign-on's own clients and keys as an operator makes them: at the birth of a site, by command, and at an upgrade."""

import base64
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace as replace_fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sso.store
from audit import Outcome, Recorder
from core.config import decode
from core.errors import NotFound
from core.site import PORTALS
from gateway.config import GRADES, Route
from sso.models import Client
from sso.oauth.rfc7517 import KeyRing
from sso.service import (
    begin_rotation,
    enter_program,
    finish_rotation,
    load_keys,
    make_keys,
    register_client,
    remove_program,
)
from sso.service.portals import assessment_of
from sso.service.records import Records
from sso.service.registration import invite as invited

from ..context import Context, write_secret
from ..files import alone, replace
from ..users import Users
from .signing_client import PUBLISHED

ROLE = "sso"
# Where administrators work; everything else of sign-on is at a host that identifies people itself.
DESK = "accounts"
_GUARDED = (*PORTALS, DESK, "audit", "ca", "certificates", "directory", "sign")
_LISTENERS = ("external", "internal", "management")
_TITLES = {
    "tax": ("Tax portal", "税务服务"),
    "social": ("Social insurance", "社会保险服务"),
    "documents": ("Document office", "公文办公室"),
}
# Scopes beside openid and profile that a portal may ask for.
_SCOPES = {
    "tax": frozenset({"mandate"}),
    "social": frozenset({"mandate"}),
    "documents": frozenset({"organisation", "roles"}),
}


def found(context: Context, _recorder: Recorder) -> None:
    """Make keys and tables, register the site's clients and publish the keys. Repeating it changes no secret."""
    site = context.site
    keys = site.folder(ROLE) / "keys"
    make_keys(keys)
    database = context.database(ROLE)
    store = sso.store.Store(database)
    store.migrate()
    for own in _own_clients(context):
        folder = "gateway" if own.id == "gateway" else f"portal-{own.id}"
        _enter(store, own, secret="" if own.jwks else _client_secret(context, folder))
    _publish(context, listed(load_keys(keys)))
    database.close()


def invite(context: Context, *, sector: str, scopes: frozenset[str], uses: int, days: int) -> str:
    """An initial access token for an agency whose programs register themselves.

    Raises:
        RecordUnavailable: no record, no token.
        ActingFailed: the role's folder is not as the role's user left it.
    """

    def act() -> bytes:
        database = context.database(ROLE)
        store = sso.store.Store(database)
        records = Records(recorder=context.recorder(ROLE), clock=context.clock, key=context.session_key(ROLE))
        expires_at = int(context.clock.now().timestamp()) + days * 86_400
        try:
            return invited(store, records, sector=sector, scopes=scopes, uses=uses, expires_at=expires_at).encode()
        finally:
            database.close()

    return Users.detect().acting(ROLE, act).decode()


def program(context: Context, name: str, *, title: str, title_zh: str, keys: bytes, at: str = "directory") -> None:
    """Register a program that keeps entries at the directory or has documents sealed, with its keys as a JWK set.

    Raises:
        BadClient: it cannot be one.
        RecordUnavailable: no record, no program.
    """
    audience, scope = {
        "directory": (context.site.origin("directory", "management"), "scim"),
        "sign": (context.site.origin("sign"), "documents"),
    }[at]
    jwks = keys.decode("utf-8", "replace")

    def enter(store: "sso.store.Store", records: Records) -> None:
        enter_program(
            store, records, name=name, title=title, title_zh=title_zh, audience=audience, jwks=jwks, scope=scope
        )

    _kept(context, enter)


def assessed_portals(context: Context) -> list[str]:
    """Of each portal that was granted with an assessment, its host's section of the site's file.

    Raises:
        ConfigurationError: one whose settings do not reach what its grade demands; that is never printed.
    """

    def read() -> bytes:
        database = context.database(ROLE)
        try:
            found = sso.store.Store(database).applications.newest()
        finally:
            database.close()
        granted = [(one, assessment_of(one)) for one in found if one.state in ("granted", "done")]
        return json.dumps([{**said, "on": one.decided_at} for one, said in granted if said]).encode()

    return [_section(said) for said in json.loads(Users.detect().acting(ROLE, read))]


def _section(said: dict[str, Any]) -> str:
    """A route as its grade demands it, read back before it is told."""
    demanded = GRADES[said["grade"]]
    on = datetime.fromtimestamp(said["on"], UTC).date().isoformat()
    route = {
        "role": f"portal:{said['label']}",
        "zone": said["exposure"],
        "resource_class": "portal" if said["exposure"] == "external" else "office",
        "assurance": demanded.assurance,
    }
    assessment = {"grade": said["grade"], "by": said["by"], "report": said["report"], "on": on}
    decode(Route, {**route, "assessment": assessment}, where=f"gateway.routes.{said['label']}", folder=Path())
    lines = [f"[gateway.routes.{said['label']}]", *(f"{name} = {json.dumps(value)}" for name, value in route.items())]
    lines += [f"[gateway.routes.{said['label']}.assessment]"]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in assessment.items()]
    return "\n".join([*lines, f"# Its records of access are kept for at least {demanded.kept} days."])


def end_program(context: Context, name: str) -> None:
    """Remove a program; what it was given ends within a second.

    Raises:
        BadClient: there is no such program.
    """
    _kept(context, lambda store, records: remove_program(store, records, name=name, clock=context.clock))


def _kept(context: Context, act: Callable[["sso.store.Store", Records], None]) -> None:
    """Do something to the role's tables, recorded, as the role's user; its running relay brings it to the record."""

    def work() -> bytes:
        database = context.database(ROLE)
        records = Records(recorder=context.recorder(ROLE), clock=context.clock, key=context.session_key(ROLE))
        try:
            act(sso.store.Store(database), records)
        finally:
            database.close()
        return b""

    Users.detect().acting(ROLE, work)


def rotate(context: Context) -> int:
    """Begin signing with a new key, once the role is restarted; tokens of the old one stay good until they end.

    Returns how many keys are published now.

    Raises:
        RecordUnavailable: no record, no new key; nothing was changed.
        ActingFailed: the role's folder is not as the role's user left it.
    """
    users, keys = Users.detect(), context.site.folder(ROLE) / "keys"

    def begin() -> bytes:
        return listed(begin_rotation(keys, recorder=context.recorder(ROLE), at=context.clock.now(), actor="role:app"))

    def finish() -> bytes:
        return listed(finish_rotation(keys, recorder=context.recorder(ROLE)))

    with alone(context.site.public):
        # Everybody can know the new key before anything is signed with it.
        _publish(context, users.acting(ROLE, begin))
        return _publish(context, users.acting(ROLE, finish))


def listed(keys: KeyRing) -> bytes:
    """The published list of keys, as it stands in a file."""
    return json.dumps(keys.jwks(), indent=2).encode() + b"\n"


def _publish(context: Context, listed: bytes) -> int:
    replace(context.site.public / "sso-jwks.json", listed)
    return len(json.loads(listed)["keys"])


def old_clients(context: Context) -> dict[str, str]:
    """The site's own clients that are registered for less than this release asks for, each with what it lacks."""

    def work() -> bytes:
        database = context.database(ROLE)
        try:
            known = sso.store.Store(database).clients.registered()
        finally:
            database.close()
        lacks = {own.id: _lacks(own, known[own.id]) for own in _own_clients(context) if own.id in known}
        return json.dumps({name: what for name, what in lacks.items() if what}).encode()

    found: dict[str, str] = json.loads(Users.detect().acting(ROLE, work))
    return found


def knows_signing(context: Context) -> bool:
    """Whether sign-on knows the role that signs for people, by the key that is published."""
    if not (context.site.public / PUBLISHED).exists():
        return False

    def work() -> bytes:
        database = context.database(ROLE)
        try:
            return b"known" if sso.store.Store(database).clients.find("signing") else b""
        finally:
            database.close()

    return bool(Users.detect().acting(ROLE, work))


def enter_signing(context: Context) -> None:
    """Register it by the key that is published, recorded.

    Raises:
        RecordUnavailable: no record, no registration.
    """

    def enter(store: "sso.store.Store", records: Records) -> None:
        # As at every start of the role.
        store.migrate()
        for own in _signing(context):
            records.write(records.client(own, "sso.client.intended", Outcome.INTENDED))
            # Dead after this line, the outcome is missing, and the site knows it from now on.
            _enter(store, own, secret="")
            records.write(records.client(own, "sso.client.registered", Outcome.SUCCESS))

    _kept(context, enter)


def renew_client(context: Context, name: str) -> None:
    """Register one of the site's own clients for what this release asks for; its secret stays, and it is recorded.

    Raises:
        RecordUnavailable: no record, no change.
    """

    def enter(store: "sso.store.Store", records: Records) -> None:
        # As at every start of the role.
        store.migrate()
        own, known = next(each for each in _own_clients(context) if each.id == name), store.clients.find(name)
        if known is None:
            raise NotFound
        changed = replace_fields(
            known,
            scopes=known.scopes | own.scopes,
            redirect_uris=tuple(dict.fromkeys((*known.redirect_uris, *own.redirect_uris))),
            post_logout_uris=tuple(dict.fromkeys((*known.post_logout_uris, *own.post_logout_uris))),
        )
        records.write(records.client(changed, "sso.client.intended", Outcome.INTENDED))
        # Dead after this line, the outcome is missing, and the same is done again at the next try.
        store.clients.put(changed)
        records.write(records.client(changed, "sso.client.registered", Outcome.SUCCESS))

    _kept(context, enter)


def _lacks(own: Client, known: Sequence[str]) -> str:
    """What a registration has not that this release asks for; ``known`` are its words."""
    wanted = (*sorted(own.scopes), *own.redirect_uris, *own.post_logout_uris)
    return " ".join(each for each in wanted if each not in known)


def _own_clients(context: Context) -> tuple[Client, ...]:
    """The site's own clients as this release registers them, but for their secrets."""
    site = context.site
    gateway = Client(
        id="gateway",
        name="Gateway",
        name_zh="网关",
        redirect_uris=tuple(
            f"{site.origin(label, listener)}/.tallygate/callback" for label in _GUARDED for listener in _LISTENERS
        ),
        post_logout_uris=tuple(f"{site.origin(label, listener)}/" for label in _GUARDED for listener in _LISTENERS),
        scopes=frozenset({"openid", "mandate"}),
        grants=frozenset({"authorization_code"}),
        audience=site.origin("sso"),
        trusted=True,
    )
    return (gateway, *(_own_portal(context, label) for label in PORTALS), *_signing(context))


def _signing(context: Context) -> tuple[Client, ...]:
    """The role that signs for people: by its own key alone, and with requests that its browser carries but not says."""
    site = context.site
    published = site.public / PUBLISHED
    if not published.exists():
        return ()
    return (
        Client(
            id="signing",
            name="Document signing",
            name_zh="文件签署",
            redirect_uris=(f"{site.origin('sign')}/my/callback",),
            post_logout_uris=(),
            scopes=frozenset({"openid"}),
            grants=frozenset({"authorization_code"}),
            audience=site.origin("sign"),
            method="private_key_jwt",
            jwks=published.read_text("utf-8"),
            requires=frozenset({"par", "dpop"}),
            detail_types=frozenset({"document_signature"}),
            subject_type="public",
        ),
    )


def _own_portal(context: Context, label: str) -> Client:
    site = context.site
    title, title_zh = _TITLES[label]
    origins = tuple(site.origin(label, listener) for listener in _LISTENERS)
    return Client(
        id=label,
        name=title,
        name_zh=title_zh,
        redirect_uris=tuple(f"{origin}/callback" for origin in origins),
        post_logout_uris=tuple(f"{origin}/" for origin in origins),
        scopes=frozenset({"openid", "profile"}) | _SCOPES.get(label, frozenset()),
        grants=frozenset({"authorization_code", "refresh_token"}),
        audience=site.origin(label),
        # The gateway tells these portals the directory's identifier with every request.
        subject_type="public",
    )


def _enter(store: "sso.store.Store", own: Client, *, secret: str) -> None:
    register_client(
        store,
        name=own.id,
        title=own.name,
        title_zh=own.name_zh,
        redirect_uris=own.redirect_uris,
        post_logout_uris=own.post_logout_uris,
        scopes=own.scopes,
        grants=own.grants,
        audience=own.audience,
        secret=secret,
        trusted=own.trusted,
        method="private_key_jwt" if own.jwks else None,
        jwks=own.jwks,
        requires=own.requires,
        detail_types=own.detail_types,
        subject_type=own.subject_type,
    )


def _client_secret(context: Context, folder: str) -> str:
    path = context.site.folder(folder) / "oidc.secret"
    if not path.exists():
        write_secret(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"="))
    return path.read_text("ascii").strip()
