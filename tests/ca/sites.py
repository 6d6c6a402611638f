# SPDX-License-Identifier: Apache-2.0
"""The authority's application as its role wires it, with the shipped policies, and the ways callers reach it."""

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient

from app.wiring import policies
from app.wiring.enrolling import Waiting
from app.wiring.incidents import incidents
from app.wiring.permitting import ShippedPolicies, desk
from ca import CAClient, CertificateVerifier, web
from ca.acme import Acme
from ca.acme.store import Store as AcmeStore
from ca.est import Est
from ca.est.est import NO_QUEUE
from ca.est.store import Store as EstStore
from ca.incidents import Incidents, Runner
from ca.inventory import Counting, Inventory, Stock
from ca.notices import Board
from ca.registration import Registration, Requests
from ca.registration.bulk import Bulk, Jobs
from ca.service import Callers, CertificateAuthority, Entrance, KeyDelivery, open_stamping
from core.calls import CALLER_HEADER, SECRET_HEADER, Answer, PairSecrets
from core.errors import from_problem
from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from core.web import Guard, create
from directory import Device, Page
from gateway import GatewaySettings
from policies.bundle import JOURNAL, read_source, release
from policies.config import PolicySettings
from policies.keys import public_pem, read_policy_key, read_release_key
from policies.models import Decision, DecisionRequest
from policies.service import PolicyEngine
from tests.fakes.people import OFFICER

from .checking import Watch, open_watch
from .world import World

HOST = "ca.city.localhost"
ORIGIN = f"https://{HOST}:8445"
HOLDERS = "certificates.city.localhost"
ACCOUNT = "account.city.localhost"
"""A guarded host that leads to the sign-on, where people look after their own certificates."""
SECRETS = {
    name: bytes([number]) * 32 for number, name in enumerate(("app", "sso", "gateway", "nginx", "signatures"), 1)
}


@dataclass
class Site:
    world: World
    authority: CertificateAuthority
    app: Flask
    gateway: IdentityIssuer
    registration: Registration
    bulk: Bulk
    acme: Acme
    est: Est
    incidents: Incidents
    runner: Runner
    watch: Watch

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def headers(
        self, method: str, path: str, roles: frozenset[str] = frozenset({"ra-officer"}), subject: str = OFFICER.subject
    ) -> dict[str, str]:
        token = self.identity(method, path, roles=roles, subject=subject)
        return {HEADER: token, "Host": HOST, "Referer": f"https://{HOST}/", "X-Forwarded-Proto": "https"}

    def identity(
        self,
        method: str,
        path: str,
        *,
        subject: str = OFFICER.subject,
        roles: frozenset[str] = frozenset(),
        host: str = HOST,
        zone: str = "management",
        assurance: int = 3,
    ) -> str:
        """What the gateway says of a person's request at a host."""
        identity = Identity(
            subject=subject,
            kind="person",
            session="s1",
            roles=roles,
            assurance=assurance,
            methods=("pwd",),
            zone=zone,
            decision="d1",
        )
        return self.gateway.issue(identity, audience=host, method=method, path=path, at=self.world.clock.now())

    def peer(self, caller: str = "app") -> CAClient:
        return CAClient(TestPeer(self.app, caller))  # type: ignore[arg-type]  # the one verb of a peer


def open_site(world: World, folder: Path, *, decide: Callable[[DecisionRequest], Decision] | None = None) -> Site:
    """The role's application over a world; ``decide`` answers at the side door instead of the released policies."""
    key = ec.generate_private_key(ec.SECP256R1())
    engine = PolicyEngine.load(folder, read_policy_key(folder.parent / "policy-key.pem"))
    authority = world.open(ShippedPolicies(engine, directory=world.directory, clock=world.clock))
    # For what a test prepares; same tables, but nobody is asked.
    unasked = world.open()
    registration = Registration(
        requests=Requests(world.database),
        certificates=world.store,
        authority=authority,
        directory=world.directory,
        recorder=world.recorder,
        clock=world.clock,
        lifetime=world.settings.request_lifetime,
    )
    bulk = Bulk(
        jobs=Jobs(world.database),
        certificates=world.store,
        authority=authority,
        directory=world.directory,
        recorder=world.recorder,
        clock=world.clock,
    )
    guard = Guard(
        clock=world.clock,
        pairs=PairSecrets(SECRETS),
        verifier=IdentityVerifier(key.public_key(), audience=HOST),
    )
    callers = Callers(
        verifiers={"sso": [IdentityVerifier(key.public_key(), audience=ACCOUNT)]},
        recorder=world.recorder,
        clock=world.clock,
    )
    entrance = Entrance(
        verifier=CertificateVerifier.load(world.site.public),
        status=authority.status,
        people=world.directory,
        decide=decide or policies.fresh(engine),
        desk=desk(GatewaySettings()),
        port=lambda listener: 8445 if listener == "management" else 0,
        recorder=world.recorder,
        clock=world.clock,
    )
    acme = open_acme(world, authority)
    many, runner = open_incidents(world, authority, acme)
    door = web.side_door(
        authority,
        guard,
        registration=registration,
        directory=world.directory,
        entrance=entrance,
        pairs=PairSecrets({"nginx": SECRETS["nginx"]}),
        incidents=many,
    )
    stamping = open_stamping(
        site=world.site, settings=world.settings, store=world.store, recorder=world.recorder, clock=world.clock
    )
    est = open_est(world, authority, registration)
    nginx = PairSecrets({"nginx": SECRETS["nginx"]})
    stock = open_inventory(world)
    watch = open_watch(world, authority)
    counting = Counting(world.database, clock=world.clock, settled=timedelta(minutes=5))

    def stands() -> web.Standing:
        waiting, failed = Board(world.database).numbers(since=world.clock.now() - timedelta(days=30))
        return web.Standing(queue=registration.waiting(), check=watch.checker.look(), notices=waiting, failed=failed)

    app = create(
        "ca",
        site=world.site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[
            web.public(authority, guard, clock=world.clock),
            web.timestamps(stamping, guard),
            web.units(stamping, guard, origin=world.site.origin("pki", "plain")),
            web.api(authority, guard, callers=callers),
            web.incident_api(many, guard, callers=callers),
            web.notices(many, guard),
            web.own(
                authority,
                registration,
                guard,
                verifier=IdentityVerifier(key.public_key(), audience=HOLDERS),
                clock=world.clock,
                host=HOLDERS,
                account="https://sso.city.localhost/account",
                incidents=many,
            ),
            web.peer_tables(authority, bulk, guard, callers=callers),
            *web.recorded(
                [
                    web.incident_registrar(many, guard),
                    web.desk(authority, guard, registration=registration, directory=world.directory, incidents=many),
                    web.tables(authority, bulk, guard, directory=world.directory),
                    web.registrar(authority, guard, registration=registration, bulk=bulk),
                    web.grants(acme, guard),
                    web.enrolments(est, guard, origins=[world.site.origin("est", "external")]),
                ],
                stock,
                web.by_gateway,
            ),
            *web.recorded([door], stock, web.at_the_door),
            *web.acme(acme, guard),
            web.inventory(stock, authority, guard, directory=world.directory),
            web.stock(stock, guard),
            web.overview(counting, stands, stock, guard, board=Board(world.database), clock=world.clock),
            web.numbers(counting, stands, stock, guard),
            web.checks(watch.checker, stock, guard),
            web.findings(watch.checker, stock, guard, callers=callers),
            web.est(est, guard, pairs=nginx),
        ],
        translations=[Path(web.__file__).parents[1] / "translations"],
        ready=authority.check,
    )
    return Site(world, unasked, app, IdentityIssuer(key), registration, bulk, acme, est, many, runner, watch)


def open_acme(world: World, authority: CertificateAuthority) -> Acme:
    """ACME over a world, whose workers a test runs by hand."""
    return Acme(
        store=AcmeStore(world.database),
        certificates=world.store,
        authority=authority,
        directory=world.directory,
        recorder=world.recorder,
        clock=world.clock,
        settings=world.settings.acme,
        key=b"a" * 32,
        origins=[world.site.origin("acme", listener) for listener in ("external", "internal", "management")],
        public=world.site.public,
    )


def open_inventory(world: World) -> Inventory:
    """The inventory over a world."""

    def devices_of(organisation: str, after: str) -> Page[Device]:
        found = [each for each in world.directory.devices.values() if each.organisation == organisation]
        return Page(tuple(found[int(after or 0) :]), "")

    return Inventory(
        stock=Stock(world.database),
        directory=world.directory,
        devices_of=devices_of,
        recorder=world.recorder,
        clock=world.clock,
    )


def open_incidents(
    world: World,
    authority: CertificateAuthority,
    acme: Acme,
    tell: Callable[[Sequence[str], str], object] = lambda _serials, _explanation: None,
) -> tuple[Incidents, Runner]:
    """Incidents over a world, carried out by hand."""
    return incidents(
        site=world.site,
        database=world.database,
        authority=authority,
        acme=acme,
        directory=world.directory,
        clock=world.clock,
        settings=world.settings.incidents,
        tell=tell,
    )


def open_est(world: World, authority: CertificateAuthority, registration: Registration | None = None) -> Est:
    """EST over a world; requests may wait where there is registration."""
    return Est(
        store=EstStore(world.database),
        certificates=world.store,
        authority=authority,
        verifier=CertificateVerifier.load(world.site.public),
        directory=world.directory,
        recorder=world.recorder,
        clock=world.clock,
        settings=world.settings.est,
        country=world.settings.country,
        key=b"e" * 32,
        public=world.site.public,
        delivery=KeyDelivery(
            authority=authority,
            store=world.store,
            clock=world.clock,
            path=world.site.folder("ca") / "est-keys.pem",
            host=world.site.host("est"),
        ),
        queue=Waiting(registration) if registration else NO_QUEUE,
    )


def release_policies(world: World, folder: Path) -> Path:
    """The shipped policies, signed."""
    (folder / "release.key").write_bytes(secrets.token_bytes(32))
    (folder / "release.key").chmod(0o600)
    key = read_release_key(folder / "release.key")
    (folder / "policy-key.pem").write_bytes(public_pem(key))
    source = read_source(PolicySettings().source)
    target, now = folder / "policies", world.clock.now()
    release(target, source, key=key, journal=folder / JOURNAL, recorder=world.recorder, at=now, actor="test")
    return target


class TestPeer:
    """A peer over the test client; raises what a real one raises."""

    __test__ = False

    def __init__(self, app: Flask, caller: str) -> None:
        self._client = app.test_client()
        self._headers = {CALLER_HEADER: caller, SECRET_HEADER: base64.b64encode(SECRETS[caller]).decode()}

    def call(
        self,
        method: str,
        path: str,
        *,
        document: object = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        extra = {"json": document} if document is not None else {"data": body} if body is not None else {}
        sent = {**self._headers, **(headers or {})}
        response = self._client.open(path, method=method, headers=sent, **extra)
        if response.status_code >= 400:
            raise from_problem(response.status_code, response.get_json())
        return Answer(response.status_code, dict(response.headers), response.data)
