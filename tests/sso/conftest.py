# SPDX-License-Identifier: Apache-2.0
"""A whole sign-on on a real database: only people, cards, record and clock are made up."""

import base64
import functools
import hashlib
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import sso
from audit import Entry, Event, FeedStale, Outcome, encode_event
from core.calls import PairSecrets
from core.db import Database
from core.errors import NotFound, Unavailable
from core.identity import Identity
from core.site import Ports, SiteSettings
from core.web import Guard, create
from directory.models import APART
from sso.config import SSOSettings
from sso.models import LoginDecision
from sso.oauth.rfc7517 import KeyRing
from sso.service import Person, SignOn, register_client
from sso.service.account import FULL
from sso.service.browsers import Distance, Place
from sso.service.key_schedule import ScheduledKey
from sso.service.letters import Post
from sso.store import Store
from sso.web import blueprint, quick
from sso.web.admin import clients, desk, front, persons, portals
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.fakes.sso_directory import FakeCards, FakeDirectory, FakeEntrusting

SECRET = {
    "tax": "t" * 43,
    "social": "s" * 43,
    "gateway": "g" * 43,
    "machine": "m" * 43,
    "web-app": "",
    "kiosk": "k" * 43,
}
NGINX = b"n" * 32
VERIFIER = "v" * 64


@dataclass
class World:
    """Everything a test may reach for."""

    app: Flask
    service: SignOn
    store: Store
    clock: ManualClock
    recorder: ListRecorder
    people: FakeDirectory
    entrusting: FakeEntrusting
    cards: FakeCards
    site: SiteSettings
    keys: KeyRing
    database: Database
    fresh: bool = True
    decision: LoginDecision = field(default_factory=lambda: LoginDecision(allowed=True, version="1"))
    entries: Sequence[Mapping[str, Any]] | None = ()
    heard: int = 0

    def browser(self) -> "Browser":
        return Browser(self)

    @property
    def issuer(self) -> str:
        return self.site.origin("sso")

    def hear(self, kind: str, *, subject: str = "", object_: str = "", outcome: Outcome = Outcome.SUCCESS) -> None:
        """Let the service hear one entry of the log."""
        event = Event(
            key=secrets.token_hex(16),
            type=kind,
            outcome=outcome,
            at=self.clock.now(),
            source="directory",
            subject=subject,
            object=object_,
            attributes={"issuer": "people"} if kind.startswith("ca.") else {},
        )
        self.service.news.hear([Entry(index=self.heard, event=event)])
        self.heard += 1

    def drain(self) -> list[str]:
        """Deliver the outbox to the record, as the relay does; returns all types."""
        from audit import decode_event  # noqa: PLC0415 - only this needs it

        waiting = self.store.outbox.head()
        for row in waiting:
            self.recorder.record(decode_event(row.body))
        self.store.outbox.drop([row.position for row in waiting])
        return self.recorder.types()

    def basic(self, client: str, secret: str | None = None) -> dict[str, str]:
        given = SECRET[client] if secret is None else secret
        return {"Authorization": "Basic " + base64.b64encode(f"{client}:{given}".encode()).decode()}

    def token(self, client: str, **form: str) -> TestResponse:
        headers = self.basic(client) if SECRET.get(client) else {}
        if not headers:
            form = {"client_id": client, **form}
        return self.app.test_client().post("/token", base_url=self.issuer, data=form, headers=headers)

    def redeem(self, client: str, code: str, **more: str) -> TestResponse:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback(client),
            "code_verifier": VERIFIER,
        }
        return self.token(client, **{**form, **more})

    def callback(self, client: str) -> str:
        return f"{self.site.origin(client)}/callback"

    def bearer(self, token: str) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"}
        return self.app.test_client().get("/userinfo", base_url=self.issuer, headers=headers)


class Browser:
    """One browser: its cookies, its forms."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client: FlaskClient = world.app.test_client()

    def get(self, path: str, **query: str) -> TestResponse:
        return self.client.get(path, base_url=self.world.issuer, query_string=query or None)

    def post(self, path: str, page: TestResponse, **form: str) -> TestResponse:
        token = hidden(page.text, "csrf_token")
        data = {"csrf_token": token, **form}
        return self.client.post(
            path, base_url=self.world.issuer, data=data, headers={"Referer": self.world.issuer + "/"}
        )

    def authorize(self, client: str = "tax", **changes: str) -> TestResponse:
        return self.get("/authorize", **request(self.world, client, **changes))

    def follow(self, answer: TestResponse) -> TestResponse:
        assert answer.status_code == 303, answer.text
        parts = urlsplit(answer.location)
        assert not parts.netloc, answer.location
        return self.get(parts.path, **{name: values[0] for name, values in parse_qs(parts.query).items()})

    def fill_in(
        self, page: TestResponse, username: str = "li.na", password: str | None = None, code: str = ""
    ) -> TestResponse:
        return self.post(
            "/login",
            page,
            interaction=hidden(page.text, "interaction"),
            username=username,
            password=f"correct horse {username}" if password is None else password,
            code=code,
        )

    def log_in(self, client: str = "tax", username: str = "li.na", **changes: str) -> dict[str, str]:
        """The whole journey by password; returns the parameters of the answer."""
        answer = self.fill_in(self.follow(self.authorize(client, **changes)), username)
        return self.finish(answer)

    def log_in_again(self, client: str) -> dict[str, str]:
        """Another answer within the same session."""
        return answered(self.authorize(client))

    def log_in_again_or_in(self, client: str) -> dict[str, str]:
        """A login of a person who may have agreed already."""
        return self.finish(self.fill_in(self.follow(self.authorize(client))))

    def finish(self, answer: TestResponse) -> dict[str, str]:
        """Agree if asked, and return the parameters of the answer."""
        if answer.status_code == 303 and answer.location.startswith("/consent"):
            page = self.follow(answer)
            answer = self.post("/consent", page, interaction=hidden(page.text, "interaction"), choice="allow")
        return answered(answer)

    def card(self, page: TestResponse, certificate: str | None, secret: bytes = NGINX) -> TestResponse:
        """From the login page to the card host; returns what the card host answers."""
        answer = self.post("/login/card", page, interaction=hidden(page.text, "interaction"))
        assert answer.location.startswith(self.world.site.origin("card") + "/login?ticket=")
        headers = {"Tallygate-Caller": "nginx", "Tallygate-Secret": base64.b64encode(secret).decode()}
        if certificate is not None:
            headers["Tallygate-Client-Certificate"] = certificate.replace(" ", "%20")
        query = urlsplit(answer.location).query
        card_host = self.world.site.origin("card")
        return self.client.get(f"/login?{query}", base_url=card_host, headers=headers)

    def back(self, answer: TestResponse) -> TestResponse:
        """From the card host back to sign-on."""
        assert answer.status_code == 303, answer.text
        assert answer.location.startswith(self.world.issuer + "/login/card?handover=")
        return self.get(*_split(answer.location))

    def cookie(self, name: str) -> str:
        found = self.client.get_cookie(name, domain=self.world.site.host("sso"))
        return found.value if found else ""


def _split(location: str) -> tuple[str]:
    parts = urlsplit(location)
    return (f"{parts.path}?{parts.query}",)


def request(world: World, client: str = "tax", **changes: str) -> dict[str, str]:
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    sent = {
        "client_id": client,
        "redirect_uri": world.callback(client),
        "response_type": "code",
        "scope": "openid" if client == "gateway" else "openid profile",
        "state": "a state",
        "nonce": "a nonce",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in sent.items() if value != "-"}


def answered(answer: TestResponse) -> dict[str, str]:
    """The parameters of an answer to a client."""
    assert answer.status_code == 303, answer.text
    assert "/callback?" in answer.location, answer.location
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, page
    return found[1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    made.database.close()


def scheduled(keys: KeyRing) -> list[ScheduledKey]:
    """The one key of these worlds."""
    at = ManualClock().now()
    return [ScheduledKey(kid=key["kid"], state="signing", since=at, until=None) for key in keys.jwks()["keys"]]


def nothing(address: str) -> str:
    """Nothing lies anywhere."""
    raise Unavailable


def nobody(_address: str, _token: str) -> bool:
    """Nobody answers anywhere."""
    raise Unavailable


def nothing_told(_address: str, _form: bytes) -> str:
    """No other provider answers."""
    raise Unavailable


def make_world(
    tmp_path: Path,
    *,
    domain: str = "city.localhost",
    exchange: Callable[[str, bytes], str] = nothing_told,
    clock: Any = None,
    recorder: Any = None,
    fresh: Callable[[], None] = lambda: None,
    nudge: Callable[[], None] = lambda: None,
    fetch: Callable[[str], str] = nothing,
    tell: Callable[[str, str], bool] = nobody,
    post: Post | None = None,
    distance: Distance = lambda _one, _other: None,
    place: Place = lambda _network: "",
    external: int = 8443,
    settings: SSOSettings | None = None,
    url: str = "",
    keys: KeyRing | None = None,
) -> World:
    """Override one thing of a good default."""
    clock, recorder, people, cards = clock or ManualClock(), recorder or ListRecorder(), FakeDirectory(), FakeCards()
    site = SiteSettings(
        name="city",
        domain=domain,
        title="City of Example",
        title_zh="示例市",
        state=tmp_path,
        ports=Ports(external=external, internal=9443, management=10443, plain=8080, ldaps=6360),
    )
    database = Database.open(url or f"sqlite:///{tmp_path}/sso.db", connections=64)
    store = Store(database)
    if url or (tmp_path / "sso.db").exists():
        store.migrate()
        register(store, site)
    else:
        (tmp_path / "sso.db").write_bytes(_registered(replace(site, state=Path())))
    keys = keys or KeyRing(generate_private_key(SECP256R1()))
    made: list[World] = []
    from tests.sso.desk import verifier  # noqa: PLC0415 - it is made of this world

    entrusting = FakeEntrusting(people)

    def both_fresh() -> None:
        if not made[0].fresh:
            raise FeedStale
        fresh()

    def decide(**_question: object) -> LoginDecision:
        return made[0].decision

    def own_record(_subject: str, _language: str, before: int | None) -> Sequence[Mapping[str, Any]]:
        if made[0].entries is None:
            raise FeedStale
        older = [each for each in made[0].entries if before is None or each["index"] < before]
        return older[:FULL]

    def own_proof(subject: str, index: int) -> tuple[bytes, str]:
        found = [each for each in recorder.entries() if each.index == index and each.event.subject == subject]
        if not found:
            raise NotFound
        return encode_event(found[0].event), f"c2sp.org/tlog-proof@v1\nindex {index}\n"

    def shown(header: str, host: str) -> tuple[Identity, datetime]:
        return verifier(host).verify_shown(header, at=clock.now())

    service = SignOn(
        issuer=site.origin("sso"),
        site=site.title,
        card_origin=site.origin("card"),
        tls_origin=site.origin("sso-tls"),
        store=store,
        people=people,
        cards=cards,
        machines=cards,
        decide=decide,
        keys=keys,
        recorder=recorder,
        settings=settings or SSOSettings(),
        clock=clock,
        entrusting=entrusting,
        own_record=own_record,
        own_proof=own_proof,
        state_key=b"s" * 32,
        factor_key=b"f" * 32,
        fresh=both_fresh,
        nudge=nudge,
        fetch=fetch,
        tell=tell,
        exchange=exchange,
        subject_key=b"p" * 32,
        own_entry=people,
        shown=shown,
        undeclared=[(site.host("tax"), "/old/*"), ("archive.city.localhost", "/files/*")],
        post=post,
        distance=distance,
        resources=[site.origin("tax")],
        place=place,
    )
    guard = Guard(clock=clock, verifier=verifier(), apart=APART)
    app = create(
        "sso",
        site=site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[
            blueprint(
                service,
                guard,
                card_host=site.host("card"),
                tls_host=site.host("sso-tls"),
                proxy=PairSecrets({"nginx": NGINX}),
                desk_host=site.host("accounts"),
            ),
            desk(
                guard,
                parts=[front(service, lambda: scheduled(keys)), portals(service), clients(service), persons(service)],
            ),
        ],
        translations=[Path(sso.__file__).parent / "translations"],
        behind_proxy=False,
    )
    app.wsgi_app = quick(app.wsgi_app, service)  # type: ignore[method-assign,assignment]  # as Flask documents
    made.append(
        World(
            app=app,
            service=service,
            store=store,
            clock=clock,
            recorder=recorder,
            people=people,
            entrusting=entrusting,
            cards=cards,
            site=site,
            keys=keys,
            database=database,
        )
    )
    return made[0]


@functools.cache
def _registered(site: SiteSettings) -> bytes:
    """The database of a site whose clients are known; every test of such a site begins with a copy."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{folder}/sso.db")
        store = Store(database)
        store.migrate()
        register(store, site)
        database.close()
        return (Path(folder) / "sso.db").read_bytes()


def register(store: Store, site: SiteSettings) -> None:
    portal = frozenset({"authorization_code", "refresh_token"})
    for name, title, title_zh in (("tax", "Tax portal", "税务服务"), ("social", "Social insurance", "社会保险")):
        register_client(
            store,
            name=name,
            title=title,
            title_zh=title_zh,
            redirect_uris=(f"{site.origin(name)}/callback",),
            post_logout_uris=(f"{site.origin(name)}/",),
            scopes=frozenset({"openid", "profile", "email", "mandate"}),
            grants=portal,
            audience=site.origin(name),
            secret=SECRET[name],
            subject_type="public",
        )
    register_client(
        store,
        name="gateway",
        title="Gateway",
        title_zh="网关",
        redirect_uris=(f"{site.origin('gateway')}/callback", f"{site.origin('tax')}/.tallygate/callback"),
        scopes=frozenset({"openid", "mandate"}),
        audience=site.origin("sso"),
        secret=SECRET["gateway"],
        trusted=True,
    )
    register_client(
        store,
        name="web-app",
        title="Web app",
        title_zh="应用",
        redirect_uris=(f"{site.origin('web-app')}/callback",),
        scopes=frozenset({"openid", "profile"}),
        grants=portal,
        audience=site.origin("web-app"),
        subject_type="public",
    )
    register_client(
        store,
        name="kiosk",
        title="Kiosk",
        title_zh="自助终端",
        scopes=frozenset({"openid", "profile", "email"}),
        grants=frozenset({"refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}),
        audience=site.origin("kiosk"),
        secret=SECRET["kiosk"],
        subject_type="public",
    )
    register_client(
        store,
        name="machine",
        title="Machine",
        title_zh="机器",
        scopes=frozenset({"organisation"}),
        grants=frozenset({"client_credentials"}),
        audience=site.origin("tax"),
        secret=SECRET["machine"],
    )


def registered_person(world: World, subject: str) -> Person:
    return world.people.person(subject)
