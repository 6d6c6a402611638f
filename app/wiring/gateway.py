# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``gateway``: decisions over bare WSGI, pages over Flask, follower, relay; and the site's proxy."""

import fcntl
import os
import secrets
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

import core.web
import gateway
from audit import Recorder
from audit.client import PATIENCE, Follower, Together
from audit.relay import Relay
from ca import CAClient, CASettings, CertificateVerifier, PublishedStatus
from ca.hierarchy import PublicFolder
from core.config import ConfigurationError
from core.db import migrate
from core.errors import TallygateError
from core.identity import IdentityIssuer
from core.log import logger
from gateway import GatewaySettings
from gateway.client import SignOnClient
from gateway.config import ASK, LIVE
from gateway.proxy import EDGES, Edge
from gateway.service import (
    Decider,
    DecisionPoint,
    Identification,
    IdentityKeys,
    KeyFile,
    Lifetimes,
    Logins,
    News,
    People,
    SharedShares,
    SharedTable,
    Sockets,
    Standings,
    Uses,
    WaysOut,
    as_root,
    haproxy_command,
    prepare_haproxy,
)
from gateway.service import command as nginx_command
from gateway.service import prepare as nginx_prepare
from gateway.service.resources import Resources
from gateway.store import Store
from gateway.tokens import Sealing
from gateway.web import Door, Keeper, Served, authzen, blueprint, decide_application, door_context, mounted, told

from ..context import Context
from ..files import replace, write_secret
from ..users import Users
from . import policies

ROLE = "gateway"
_REPLAY_SECONDS = 30.0
_KEYS_SECONDS = 2.0
"""Between two looks at the keys: how long two workers may sign with different ones, both of which count."""
_log = logger(__name__)
_FOLDER = Path(gateway.__file__).parent
_STATIC = Path(core.web.__file__).parent / "static"


def application(context: Context) -> Served:
    """The role's application, with its follower and relay running."""
    site, clock = context.site, context.clock
    settings = context.settings("gateway", GatewaySettings)
    database = context.database(ROLE)
    # New code may meet the tables of an older one; of two workers the second waits and finds nothing to do.
    migrate(database, _FOLDER / "migrations")
    store = Store(database)
    recorder = context.recorder(ROLE)
    relay = Relay(store.outbox, recorder, source=ROLE, clock=context.clock, lock=site.folder(ROLE) / "relay.lock")
    engine = policies.engine(context)
    people = People(directory=context.directory(ROLE), clock=clock, lifetime=settings.person_lifetime)
    news = News(store=store, people=people, clock=clock, policies=engine)
    follower = Follower(
        context.feed(ROLE, about=news.about), start=news.start, hear=news.hear, clock=clock, patience=PATIENCE
    )
    keys = KeyFile(site.public / "sso-jwks.json", newer=site.socket("sso").parent / "jwks.json", clock=clock)
    verifier = CertificateVerifier.load(site.public)
    uses = Uses(store)
    identification = Identification(
        store=store,
        uses=uses,
        news=news,
        people=people,
        keys=keys,
        verifier=verifier,
        status=Standings(
            authority=CAClient(context.peer(ROLE, "ca")),
            left=PublishedStatus.load(site.public, folder=site.socket("ca").parent),
            clock=clock,
            oldest=settings.status_age,
        ),
        issuer=site.origin("sso"),
        lifetimes=Lifetimes(absolute=settings.session_lifetime, idle=settings.session_idle),
    )
    signing = identity_keys(context)
    try:
        identities = signing.issuer()
    except (OSError, ValueError) as error:
        raise ConfigurationError(where=str(site.folder(ROLE) / "identity"), why="no key that can be read") from error
    sealing = Sealing(context.kept_key(ROLE, "ties.key"))
    shares, points = _shares(context, settings)
    decider = Decider(
        site=site,
        settings=settings,
        clock=clock,
        recorder=recorder,
        engine=engine,
        identification=identification,
        news=news,
        freshness=follower,
        identities=identities,
        sealing=sealing,
        shares=shares,
    )
    logins = Logins(
        site=site,
        settings=settings,
        clock=clock,
        store=store,
        people=people,
        keys=keys,
        exchange=SignOnClient(
            origin=site.origin("sso"),
            roots=site.anchors,
            secret=(site.folder(ROLE) / "oidc.secret").read_text("ascii").strip(),
        ),
        recorder=recorder,
        nudge=relay.nudge,
    )
    point = DecisionPoint(
        settings=settings,
        clock=clock,
        recorder=recorder,
        engine=engine,
        people=people,
        present=store,
        devices=identification,
        news=news,
        freshness=follower,
        identities=identities,
        shares=points,
    )
    relay.start()
    uses.start()
    follower.start()
    threading.Thread(target=_look_after_keys, args=(signing, identities), name="gateway-keys", daemon=True).start()
    threading.Thread(target=_keep_replaying, args=(logins,), name="gateway-replay", daemon=True).start()
    sockets = Sockets(
        store=store,
        recorder=recorder,
        news=news,
        freshness=follower,
        clock=clock,
        nudge=relay.nudge,
        each=settings.sockets,
        tunnels=settings.egress.tunnels,
    )
    news.tell(sockets.heard)
    keeper = Keeper(sockets, pairs=context.pairs(ROLE, ["nginx"]), sealing=sealing, clock=clock, where=site.socket)
    ways = WaysOut(
        site=site,
        settings=settings,
        clock=clock,
        recorder=recorder,
        engine=engine,
        identification=identification,
        news=news,
        freshness=follower,
        sockets=sockets,
        people=shares[0],
        clients=shares[1],
    )
    kept = partial(_open_door, context, ways, sockets)
    threading.Thread(
        target=_keep_sockets, args=(context, sockets, keeper, kept), name="gateway-keeper", daemon=True
    ).start()
    guard = context.guard(ROLE)
    proxy = context.pairs(ROLE, ["nginx", *(name for name in EDGES if _known(context, name))])

    def ready() -> None:
        store.check()
        follower.check()

    resources = Resources(site=site, settings=settings, identities=identities, clock=clock)
    pages = context.flask(
        ROLE,
        guard=guard,
        blueprints=[
            blueprint(
                logins,
                guard,
                proxy=proxy,
                sign_on=site.origin("sso"),
                enrol=f"{site.origin('certificates')}/my/ask",
                keys=identities.keys,
                resources=resources,
            ),
            authzen(point, guard, proxy=proxy),
            told(resources, guard, proxy=proxy),
        ],
        translations=[_FOLDER / "translations"],
        ready=ready,
        standing=relay.standing,
    )
    return Served(
        decider,
        proxy,
        mounted(decide_application(decider, proxy), pages),
        together=Together(recorder),
        fresh=follower.fresh,
        places=[(site.socket(ROLE, name), site.folder(ROLE) / f"{name}.lock") for name in ASK],
    )


def found(context: Context, _recorder: Recorder) -> None:
    """Make the tables."""
    database = context.database(ROLE)
    migrate(database, _FOLDER / "migrations")
    database.close()


def edge(context: Context, name: str, *, listener: str, address: str) -> Path:
    """Write what a Caddy or HAProxy is started with into its own folder; the gateway hears it from its next start."""
    site = context.site
    folder = site.folder(name)
    folder.mkdir(mode=0o700, exist_ok=True)
    for holder in (name, ROLE):
        path = site.secret_path(holder=holder, caller=name, callee=ROLE)
        if holder == name and not _known(context, name):
            path.unlink(missing_ok=True)
            write_secret(path, secrets.token_bytes(32))
        elif not path.exists():
            write_secret(path, site.pair_secret(holder=name, caller=name, callee=ROLE))
    made = Edge(
        site=site,
        settings=context.settings("gateway", GatewaySettings),
        listener=listener,
        address=address,
        folder=folder,
        secret=site.pair_secret(holder=name, caller=name, callee=ROLE),
    )
    for file, text in EDGES[name](made).items():
        path = folder / file
        path.touch(mode=0o600)
        replace(path, text.encode())
        path.chmod(0o600)
    Users.detect().give(site.folder(ROLE) / "pairs", ROLE)
    return folder


def _known(context: Context, name: str) -> bool:
    return context.site.secret_path(holder=ROLE, caller=name, callee=ROLE).exists()


def proxy_of(context: Context) -> str:
    """The program that stands before every host of the site."""
    return context.settings("gateway", GatewaySettings).edge


def prepare(context: Context) -> None:
    """Write the configuration of the site's proxy; at every start, before it, and by its user."""
    settings = context.settings("gateway", GatewaySettings)
    lasting = context.settings("ca", CASettings).ocsp_lifetime

    def write() -> bytes:
        if settings.edge == "haproxy":
            prepare_haproxy(context.site, settings)
        else:
            nginx_prepare(context.site, settings, static=_STATIC, answers_last=lasting)
        return b""

    Users.detect().acting("nginx", write)


def command(context: Context, *, supervised: bool = True) -> list[str]:
    """How the site's proxy is run in the foreground; a supervisor that is root gives it a user of its own, if any."""
    if proxy_of(context) == "haproxy":
        return haproxy_command(context.site)
    line = nginx_command(context.site)
    stays_root = os.geteuid() == 0 and not (supervised and Users.detect().separate)
    return as_root(line) if stays_root else line


def _keep_replaying(logins: Logins) -> None:
    # The first time at once; again, because what died with the last process is not old enough then.
    pause = threading.Event()
    while True:
        try:
            logins.replay()
        except TallygateError as error:
            _log.warning("replay_waits", code=error.code)
        except Exception:  # noqa: BLE001 - without this thread an intent could stay without its outcome
            _log.error("replay_failed", exc_info=True)
        pause.wait(_REPLAY_SECONDS)


def _shares(
    context: Context, settings: GatewaySettings
) -> tuple[tuple[SharedShares, SharedShares, SharedShares], SharedShares]:
    """What persons, clients and addresses may take, and enforcement points, counted by all workers together."""
    table, clock = SharedTable(context.site.socket(ROLE).parent / "shares"), context.clock
    return (
        SharedShares(table, kind="person", clock=clock, rate=settings.person_rate, burst=settings.person_burst),
        SharedShares(table, kind="client", clock=clock, rate=settings.client_rate, burst=settings.client_burst),
        SharedShares(table, kind="address", clock=clock, rate=settings.rate, burst=settings.burst),
    ), SharedShares(table, kind="point", clock=clock, rate=settings.point_rate, burst=settings.point_burst)


def _open_door(context: Context, ways: WaysOut, sockets: Sockets) -> None:
    """Open the way out, where the site has one; a site of an earlier release has no certificate for it yet."""
    site = context.site
    if not site.ports.egress:
        return
    folder = site.folder(ROLE)
    try:
        shown = door_context(
            certificate=folder / "tls.pem",
            key=folder / "tls.key",
            authorities=[
                each.certificate.public_bytes(Encoding.PEM)
                for issuer in PublicFolder(site.public).issuers()
                if issuer.name.kind in ("people", "devices") and not issuer.withdrawn
                for each in (issuer, issuer.root)
                if isinstance(each.certificate.public_key(), EllipticCurvePublicKey | RSAPublicKey)
            ],
        )
    except (OSError, TallygateError) as error:
        _log.error("egress_not_opened", cause=type(error).__name__)
        return
    connections = context.settings("gateway", GatewaySettings).connections
    Door(ways, sockets, context=shown, connections=connections).start(site.ports.address, site.ports.egress)


def _keep_sockets(context: Context, sockets: Sockets, keeper: Keeper, begin: Callable[[], None]) -> None:
    """One worker of the role keeps every WebSocket and way out; should it die, they end and another takes over."""
    path = context.site.socket(ROLE, LIVE)
    with (context.site.folder(ROLE) / "sockets.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        opened = False
        while True:
            try:
                sockets.replay()
                if not opened:
                    opened = True
                    begin()
                keeper.start(path).join()
            except TallygateError as error:
                _log.warning("sockets_wait", code=error.code)
            except Exception:  # noqa: BLE001 - without this thread no socket opens at all
                _log.error("sockets_not_kept", exc_info=True)
            threading.Event().wait(1.0)


def identity_keys(context: Context) -> IdentityKeys:
    """The keys of the identity header, in the role's folder; for the role, and for an operator as the role's user."""
    site, settings = context.site, context.settings("gateway", GatewaySettings)
    return IdentityKeys(
        site.folder(ROLE) / "identity",
        first=site.folder(ROLE) / "identity.key",
        published=context.identity_keys,
        recorder=context.recorder(ROLE),
        clock=context.clock,
        every=timedelta(days=settings.key_days),
        overlap=settings.key_overlap,
    )


def rotate_key(context: Context, *, at_once: bool) -> str:
    """Begin with a new key of the identity header; its thumbprint. A running gateway goes on by itself.

    Raises:
        Conflict: another is on its way.
        RecordUnavailable: nobody is told of it yet; the gateway's next look records it and goes on.
        ActingFailed: the role's folder is not as the role's user left it.
    """

    def begin() -> bytes:
        return " ".join(identity_keys(context).begin(actor="role:app", at_once=at_once)).encode("ascii")

    kid, _, public = Users.detect().acting(ROLE, begin).decode("ascii").partition(" ")
    if at_once:
        # What hosts believe while no gateway runs: the old key may be known to somebody.
        replace(context.site.public / "gateway-identity.pem", public.encode("ascii"))
    return kid


def _look_after_keys(keys: IdentityKeys, issuer: IdentityIssuer) -> None:
    pause = threading.Event()
    while True:
        try:
            keys.look(issuer)
        except TallygateError as error:
            _log.warning("identity_keys_wait", code=error.code)
        except Exception:  # noqa: BLE001 - without this thread a worker would go on signing with a key that is over
            _log.error("identity_keys_failed", exc_info=True)
        pause.wait(_KEYS_SECONDS)
