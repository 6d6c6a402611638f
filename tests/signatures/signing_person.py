# SPDX-License-Identifier: Apache-2.0
"""Remote signing put together as the role does it, with a sign-on that signs its tokens and says what a test wants."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jwt
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec

from ca.models import Issued, IssueRequest, Reason, Standing
from core.identity import Identity
from core.jose import members, thumbprint
from signatures.config import SignatureSettings
from signatures.holds import Algorithm, FileHold, KeyHold
from signatures.models import Level
from signatures.remote import Asking, ConsentRefused, RemoteStore
from signatures.sandbox import ReaderPool
from signatures.service import Answer, Desk, Enrolling, Forming, PersonalSigning
from signatures.shelf import Shelf
from signatures.shelf.store import ShelfStore
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents
from tests.signatures.fakes import CITIZEN, COMMITMENTS, People, TestAuthority, encode, seal_keys
from tests.signatures.pki import City

ISSUER, AUDIENCE = "https://sso.city.localhost", "https://sign.city.localhost"
SIGN_ON = ec.generate_private_key(ec.SECP256R1())
CLIENT_KEY = ec.generate_private_key(ec.SECP256R1())
SEALING = Fernet(Fernet.generate_key())
KID = thumbprint(SIGN_ON.public_key())


class SignOn(Asking):
    """Remembers what was asked, and gives each code one token; ``says`` changes what the next one says."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(
            issuer=ISSUER, callback=f"{AUDIENCE}/my/callback", roots=Path("unused"), key=CLIENT_KEY, clock=clock
        )
        self.clock = clock
        self.asked: dict[str, tuple[str, dict[str, Any]]] = {}
        self.says: dict[str, Any] = {}
        self.key = SIGN_ON
        self.typ = "at+jwt"
        self.token = ""

    def begin(self, *, state: str, verifier: str, details: dict[str, Any], locale: str) -> str:
        assert locale in {"en", "zh"}
        self.asked[state] = (verifier, details)
        return f"{ISSUER}/authorize?request_uri={state}"

    def redeem(self, code: str, *, verifier: str) -> str:
        known, details = self.asked.get(code, ("", {}))
        if verifier != known:
            raise ConsentRefused(why="invalid_grant")
        if self.token:
            return self.token
        now = int(self.clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "client_id": "signing",
            "sub": CITIZEN,
            "cnf": {"jkt": self.jkt},
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_urlsafe(16),
            "acr": "2",
            "authorization_details": [{**details, "confirmed": {"by": "passkey", "at": now}}],
            **self.says,
        }
        return jwt.encode(claims, self.key, algorithm="ES256", headers={"kid": KID, "typ": self.typ})


class PersonAuthority(TestAuthority):
    """Asked with the gateway's header."""

    def __init__(self, city: City) -> None:
        super().__init__(city)
        self.headers: list[str] = []

    def issue(self, request: IssueRequest, *, identity: str = "") -> Issued:
        self.headers.append(identity)
        return super().issue(request)

    def revoke(self, serial: str, *, reason: Reason, actor: str, identity: str = "") -> None:
        assert (actor, reason) == (CITIZEN, Reason.CESSATION)
        self.headers.append(identity)
        self.standing[serial] = Standing.REVOKED


def person(subject: str = CITIZEN, **more: Any) -> Identity:
    """Whom the gateway let through."""
    fields: dict[str, Any] = {
        "subject": subject,
        "kind": "person",
        "session": "s1",
        "roles": frozenset({"citizen"}),
        "assurance": 2,
        "methods": ("hwk",),
        "zone": "external",
        "decision": secrets.token_hex(16),
    }
    return Identity(**{**fields, **more})


@dataclass
class House:
    """Everything a test may reach for."""

    personal: PersonalSigning
    enrolling: Enrolling
    desk: Desk
    shelf: Shelf
    store: RemoteStore
    sign_on: SignOn
    authority: PersonAuthority
    recorder: ListRecorder
    clock: ManualClock
    folder: Path
    stores: list[Any] = field(default_factory=list)

    def bring(self, text: bytes = b"", *, subject: str = CITIZEN, name: str = "lease.pdf") -> str:
        return self.desk.bring(subject, documents.permit() + text, name=name).id

    def begin(self, *ids: str, browser: str = "b1") -> str:
        """The state that comes back with the browser."""
        return self.personal.begin(CITIZEN, ids, browser=browser, locale="zh").rpartition("=")[2]

    def finish(self, state: str, *, who: Identity | None = None, browser: str = "b1", **more: str) -> list[str]:
        answer = Answer(**{"state": state, "code": state, "issuer": ISSUER, "error": "", **more})
        return self.personal.finish(who or person(), answer, browser=browser)

    def close(self) -> None:
        for each in self.stores:
            each.close()


def house(
    folder: Path,
    city: City,
    readers: ReaderPool,
    *,
    hold: KeyHold | None = None,
    algorithm: Algorithm = Algorithm.P256,
    most: int = 20,
    clock: ManualClock | None = None,
    authority: PersonAuthority | None = None,
) -> House:
    """Put together; what lies in the folder already is taken up, as after a restart."""
    clock = clock or ManualClock()
    recorder, authority = ListRecorder(), authority or PersonAuthority(city)
    shelf_store = ShelfStore.open(folder / "shelf.db")
    shelf = Shelf(folder=folder / "shelf", store=shelf_store, key=b"k" * 32, clock=clock)
    store = RemoteStore.open(
        folder / "remote.db",
        encode=encode,
        seal=lambda text: SEALING.encrypt(text.encode()).decode(),
        unseal=lambda text: SEALING.decrypt(text).decode(),
    )
    desk = Desk(shelf=shelf, readers=readers, settings=SignatureSettings(kept_most=most))
    keys = hold or FileHold(folder / "held", b"h" * 32)
    enrolling = Enrolling(
        store=store,
        holds={keys.make_of: keys},
        make_of=keys.make_of,
        algorithm=algorithm,
        authority=authority,
        status=authority.status,
        people=People(),
        recorder=recorder,
        nudge=lambda: None,
        clock=clock,
    )
    forming = Forming(
        readers=readers,
        keys=seal_keys(folder / "seals"),
        status=authority.status,
        outlines=documents.outlines(),
        clock=clock,
        level=Level.B,
        address=lambda commitment: f"https://verify.city.localhost/?document={commitment}",
    )
    sign_on = SignOn(clock)
    personal = PersonalSigning(
        store=store,
        shelf=shelf,
        limits=desk.limits,
        enrolling=enrolling,
        asking=sign_on,
        keys=lambda: {"keys": [{**members(SIGN_ON.public_key()), "kid": KID}]},
        forming=forming,
        commitments=COMMITMENTS,
        recorder=recorder,
        nudge=lambda: None,
        clock=clock,
        audience=AUDIENCE,
        zone=ZoneInfo("Asia/Shanghai"),
        patience=timedelta(minutes=10),
    )
    return House(
        personal=personal,
        enrolling=enrolling,
        desk=desk,
        shelf=shelf,
        store=store,
        sign_on=sign_on,
        authority=authority,
        recorder=recorder,
        clock=clock,
        folder=folder,
        stores=[store, shelf_store],
    )
