# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``sso``: provider, pages, follower and relay; registers the site's own clients at its birth."""

import base64
import json
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace as replace_fields
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from flask import Flask

import sso.store
from audit import Outcome, Recorder, RecordUnavailable
from audit.client import PATIENCE, Follower
from audit.config import AuditSettings
from audit.relay import Relay
from ca.client import CAClient
from ca.verifier import CertificateVerifier
from core.calls import Peer
from core.calls.outside import Fetcher
from core.config import ConfigurationError
from core.errors import NotFound, Unavailable
from core.log import logger
from core.site import PORTALS
from directory import DirectorySettings
from directory.client import EntrustingClient, OwnClient
from gateway import GatewaySettings
from policies import Action, DecisionRequest, ResourceClass
from policies.service import PolicyEngine
from sso.config import SSOSettings
from sso.models import Client, LoginDecision
from sso.oauth.rfc7517 import KeyRing
from sso.service import (
    KeySchedule,
    Person,
    SignOn,
    begin_rotation,
    end_rotation,
    enter_program,
    finish_rotation,
    load_keys,
    make_keys,
    register_client,
    remove_program,
)
from sso.service.account import FULL
from sso.service.browsers import Distance, Place
from sso.service.collaborators import Card
from sso.service.records import Records
from sso.service.registration import invite as invited
from sso.web import blueprint, quick
from sso.web.admin import clients, desk, front, persons, portals

from ..context import Context, write_secret
from ..files import alone, replace
from ..users import Users
from . import mail, policies

ROLE = "sso"
# The host where clients show certificates; browsers, which would ask their people for one, have no business there.
_TLS = "sso-tls"
_TRANSLATIONS = Path(sso.store.__file__).parent.parent / "translations"
# The list of keys beside the role's socket; a machine without one has the operator's, in the public folder.
KEYS = "jwks.json"
# Where administrators work; everything else of sign-on is at a host that identifies people itself.
DESK = "accounts"
_GUARDED = (*PORTALS, DESK, "audit", "ca", "certificates", "directory")
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
_log = logger(__name__)


def application(context: Context) -> Flask:
    """The role's WSGI application, with its follower and relay running."""
    site = context.site
    settings = context.settings("sso", SSOSettings)
    store = sso.store.Store(context.database(ROLE))
    store.migrate()
    recorder = context.recorder(ROLE)
    relay = Relay(store.outbox, recorder, source=ROLE, clock=context.clock, lock=site.folder(ROLE) / "relay.lock")
    follower: list[Follower] = []
    engine = policies.engine(context)
    try:
        end_rotation(site.folder(ROLE) / "keys", recorder=recorder)
    except RecordUnavailable as error:
        _log.warning("rotation_waits", code=error.code)
    verifier, authority = CertificateVerifier.load(site.public), CAClient(context.peer(ROLE, "ca"))
    ring = load_keys(site.folder(ROLE) / "keys")
    schedule = KeySchedule(
        site.folder(ROLE) / "keys",
        ring=ring,
        recorder=recorder,
        settings=settings,
        clock=context.clock,
        publish=lambda keys: _tell_neighbours(context, keys),
    )
    outward = Outward(sorted(site.public.glob("root*.pem")), private=settings.fetch_private)
    distance, place = _places(context)
    gateway = context.settings("gateway", GatewaySettings)
    service = SignOn(
        issuer=site.origin("sso"),
        site=site.title,
        card_origin=site.origin("card"),
        tls_origin=site.origin(_TLS),
        store=store,
        people=context.directory(ROLE),
        cards=Cards(verifier, authority, "person"),
        machines=Cards(verifier, authority, "device"),
        decide=LoginPolicy(engine),
        keys=ring,
        recorder=recorder,
        settings=settings,
        clock=context.clock,
        entrusting=EntrustingClient(lambda: context.peer(ROLE, "directory")),
        own_record=(own := OwnRecord(context)),
        own_proof=own.proved,
        state_key=context.session_key(ROLE),
        factor_key=context.kept_key(ROLE, "factors.key"),
        fresh=lambda: follower[0].check(),  # noqa: PLW0108 - there is no follower yet
        nudge=relay.nudge,
        fetch=outward.fetched,
        tell=outward.told,
        exchange=outward.exchanged,
        subject_key=context.kept_key(ROLE, "subjects.key"),
        own_entry=OwnClient(lambda: _directory(context)),
        undeclared=[
            (site.host(label), path)
            for label, route in context.settings("gateway", GatewaySettings).routes.items()
            for path in route.undeclared
        ],
        shown=lambda header, host: context.verifier(host).verify_shown(header, at=context.clock.now()),
        post=mail.post(context, settings.mail_password),
        distance=distance,
        resources=[site.origin(label, route.zone) for label, route in gateway.routes.items() if route.resources],
        place=place,
        password_length=context.settings("directory", DirectorySettings).password_length,
        reload_policies=engine.reload,
    )
    # The follower needs the service's ears, the service the follower's freshness; nothing is served before both are.
    news = service.news
    feed = context.feed(ROLE, about=news.about)
    follower.append(Follower(feed, start=news.start, hear=news.hear, clock=context.clock, patience=PATIENCE))
    relay.start()
    follower[0].start()
    service.housekeeping.also(schedule.look)
    try:
        schedule.look()
    except RecordUnavailable as error:
        _log.warning("rotation_waits", code=error.code)
    service.housekeeping.start()
    service.goodbyes.start()
    service.letters.start()
    guard = context.guard(ROLE, audience=site.host(DESK))

    def ready() -> None:
        store.check()
        follower[0].check()

    app = context.flask(
        ROLE,
        guard=guard,
        blueprints=[
            blueprint(
                service,
                guard,
                card_host=site.host("card"),
                tls_host=site.host(_TLS),
                proxy=context.pairs(ROLE, ["nginx"]),
                certificates=f"{site.origin('certificates')}/my/",
                desk_host=site.host(DESK),
            ),
            desk(
                guard, parts=[front(service, schedule.standing), portals(service), clients(service), persons(service)]
            ),
        ],
        translations=[_TRANSLATIONS],
        ready=ready,
        standing=relay.standing,
    )
    app.wsgi_app = quick(app.wsgi_app, service)  # type: ignore[method-assign,assignment]  # as Flask documents
    return app


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
        _enter(store, own, secret=_client_secret(context, folder))
    _publish(context, _listed(load_keys(keys)))
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


def program(context: Context, name: str, *, title: str, title_zh: str, keys: bytes) -> None:
    """Register a program that keeps entries at the directory, with its public keys as a JWK set.

    Raises:
        BadClient: it cannot be one.
        RecordUnavailable: no record, no program.
    """
    audience = context.site.origin("directory", "management")
    jwks = keys.decode("utf-8", "replace")

    def enter(store: "sso.store.Store", records: Records) -> None:
        enter_program(store, records, name=name, title=title, title_zh=title_zh, audience=audience, jwks=jwks)

    _kept(context, enter)


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
        return _listed(begin_rotation(keys, recorder=context.recorder(ROLE), at=context.clock.now(), actor="role:app"))

    def finish() -> bytes:
        return _listed(finish_rotation(keys, recorder=context.recorder(ROLE)))

    with alone(context.site.public):
        # Everybody can know the new key before anything is signed with it.
        _publish(context, users.acting(ROLE, begin))
        return _publish(context, users.acting(ROLE, finish))


class LoginPolicy:
    """The policies' word on logins; what each portal asks beyond that, the gateway decides at each access."""

    def __init__(self, engine: PolicyEngine) -> None:
        self._engine = engine

    def __call__(
        self,
        *,
        person: Person,
        client: str,  # noqa: ARG002 - the shipped policies answer the same for every client
        assurance: int,
        methods: tuple[str, ...],
        at: datetime,
    ) -> LoginDecision:
        """Decide."""
        answer = self._engine.decide(
            DecisionRequest(
                principal_kind="person",
                subject=person.subject,
                roles=person.roles,
                organisation=person.organisation,
                enabled=person.enabled,
                proofing=person.proofing.level,
                assurance=assurance,
                methods=methods,
                action=Action.LOGIN,
                resource=ROLE,
                resource_class=ResourceClass.SIGN_ON,
                classification=0,
                # The issuer has one address, at the external listener.
                from_zone="external",
                to_zone="external",
                required_assurance=1,
                at=at,
            )
        )
        # The page and the record show ids of policies, or the code where none of them spoke.
        return LoginDecision(
            allowed=answer.allowed,
            step_up=answer.step_up,
            reasons=answer.reasons or (() if answer.allowed else (str(answer.code),)),
            version=answer.version,
            code=str(answer.code),
        )


class Cards:
    """The authority's verifier and its answer about one serial."""

    def __init__(
        self, verifier: CertificateVerifier, authority: CAClient, purpose: Literal["person", "device"]
    ) -> None:
        self._verifier = verifier
        self._purpose = purpose
        self._authority = authority

    def verify(self, certificate_pem: bytes, *, at: datetime) -> Card:
        """Check chain, dates and purpose.

        Raises:
            CertificateRefused: for every reason alike.
        """
        return self._verifier.verify(certificate_pem, purpose=self._purpose, at=at)

    def good(self, serial: str) -> bool:
        """Ask its issuer.

        Raises:
            Unavailable: the issuer does not answer.
        """
        return self._authority.status(serial).good


class Outward:
    """The one way out, to addresses that clients registered."""

    def __init__(self, roots: Sequence[Path], *, private: bool) -> None:
        context = ssl.create_default_context()
        # Beside the machine's own authorities the site's: its portals are certified by it.
        for root in roots:
            context.load_verify_locations(root)
        self._fetcher = Fetcher(context=context, private=private, timeout=3.0, largest=16 * 1024)

    def fetched(self, address: str) -> str:
        """The text at an address: a signed request, keys, or a sector's list.

        Raises:
            Unavailable: nothing, or nothing usable.
        """
        found = self._fetcher.get(address)
        try:
            return found.body.decode("ascii") if found.status == HTTPStatus.OK else _nothing()
        except ValueError as error:
            raise Unavailable from error

    def told(self, address: str, token: str) -> bool:
        """Bring a logout token to an address; whether it was taken (Back-Channel Logout 1.0 section 2.5).

        Raises:
            Unavailable: nobody answers there.
        """
        body = urlencode({"logout_token": token}).encode()
        answer = self._fetcher.post(address, body, kind="application/x-www-form-urlencoded")
        return answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)

    def exchanged(self, address: str, form: bytes) -> str:
        """The text that another provider answers a form with.

        Raises:
            Unavailable: nothing, or nothing usable.
        """
        found = self._fetcher.post(address, form, kind="application/x-www-form-urlencoded")
        try:
            return found.body.decode("ascii") if found.status == HTTPStatus.OK else _nothing()
        except ValueError as error:
            raise Unavailable from error


def _nothing() -> str:
    raise Unavailable


class OwnRecord:
    """What the record holds about one person, asked as this role."""

    def __init__(self, context: Context) -> None:
        self._audit = context.peer(ROLE, "audit")

    def __call__(self, subject: str, language: str, before: int | None) -> Sequence[Mapping[str, Any]]:
        """The newest entries, or the newest before one of them.

        Raises:
            Unavailable: the record does not answer, or not as it should.
        """
        older = "" if before is None else f"&after={before}"
        asked = f"/api/v1/subjects/{subject}/entries?limit={FULL}&lang={language}{older}"
        answer = self._audit.call("GET", asked).json()
        entries = answer.get("entries") if isinstance(answer, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise Unavailable
        return entries

    def proved(self, subject: str, index: int) -> tuple[bytes, str]:
        """One entry about a person and its proof.

        Raises:
            NotFound: there is none about that person.
            Unavailable: the record does not answer, or not as it should.
        """
        answer = self._audit.call("GET", f"/api/v1/subjects/{subject}/entries/{index}").json()
        try:
            return base64.b64decode(answer["entry"], validate=True), str(answer["proof"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable from error


def _directory(context: Context) -> Peer:
    """The way to the one writer; a site of an earlier release has none before ``init --renew-processes``.

    Raises:
        Unavailable: there is no secret for it.
    """
    try:
        return context.peer(ROLE, "directory")
    except ConfigurationError as error:
        raise Unavailable from error


def _places(context: Context) -> tuple[Distance, Place]:
    """How far networks are apart and where they are, by the record's table, if the site has one."""
    path = context.settings("audit", AuditSettings).alert_places
    if path is None:
        return lambda _one, _other: None, lambda _network: ""
    from .places import Table  # noqa: PLC0415 - eight mebibytes in each worker, and many sites have no table

    table = Table(path)
    return table.distance, table.name


def _listed(keys: KeyRing) -> bytes:
    return json.dumps(keys.jwks(), indent=2).encode() + b"\n"


def _tell_neighbours(context: Context, keys: KeyRing) -> None:
    """Put the list beside the role's socket, where this role alone writes and the others of this machine read."""
    listed, path = _listed(keys), context.site.socket(ROLE).parent / KEYS
    if path.parent.is_dir() and (not path.exists() or path.read_bytes() != listed):
        replace(path, listed)


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
    return (gateway, *(_own_portal(context, label) for label in PORTALS))


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
        subject_type=own.subject_type,
    )


def _client_secret(context: Context, folder: str) -> str:
    path = context.site.folder(folder) / "oidc.secret"
    if not path.exists():
        write_secret(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"="))
    return path.read_text("ascii").strip()
