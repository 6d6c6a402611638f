# SPDX-License-Identifier: Apache-2.0
"""The policy desk, its pages and the operator's clerk over real bundles; only the record is a list."""

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from werkzeug.test import TestResponse

from audit.models import Reader
from core.calls import Answer, PairSecrets, Peer
from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from core.site import Ports, SiteSettings
from core.web import Guard, create
from directory.models import APART
from policies.bundle import JOURNAL, release
from policies.clerk import Clerk
from policies.config import SHIPPED
from policies.desk import Desk, DeskStore
from policies.models import Past
from policies.web import ADMINISTRATOR, TRANSLATIONS, blueprint
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder

SMALL = {
    "access.cedar": b"""@id("portal") @owner("portals") @reason("citizens use the portals")
permit (principal is Person, action == Action::"access", resource in Class::"portal")
when { principal in Role::"citizen" && context.assurance >= 1 };
@id("seal") @owner("agencies") @reason("an agency's people set its seal")
permit (principal is Person, action == Action::"seal", resource in Class::"signing")
when { principal in Role::"civil-servant" };
""",
    "forbids.cedar": b"""@id("person-disabled") @code("disabled") @owner("security") @reason("shut out is shut out")
forbid (principal is Person, action, resource) unless { principal.enabled };
""",
    "cases.toml": b"""[who.citizen]
kind = "person"
roles = ["citizen"]
[who.disabled]
kind = "person"
roles = ["citizen"]
enabled = false
[who.clerk]
kind = "person"
roles = ["civil-servant"]
[what.tax]
resource_class = "portal"
zone = "external"
[what.seal]
resource_class = "signing"
zone = "external"
""",
    "cases.csv": b"""who,action,what,from,assurance,flags,expect,step_up,because
citizen,access,tax,external,1,,allowed,,portal
disabled,access,tax,external,1,,disabled,,person-disabled
clerk,seal,seal,external,1,,allowed,,seal
""",
    **{name: (SHIPPED / name).read_bytes() for name in ("schema.cedarschema", "zones.toml")},
}
"""Few policies, so that a test is quick; with the shipped schema and zones."""
HOST = "audit.city.localhost"
QIAN, SUN, OTHER = "qian-0001", "sun-0002", "zhou-0003"
"""Two administrators with keys, and one without."""
_SECRET = b"a" * 32
_KEY = ec.generate_private_key(ec.SECP256R1())


class DeskFake:
    """Everything a security administrator and the clerk reach."""

    def __init__(self, folder: Path, *, named: bool = True) -> None:
        self.clock, self.recorder = ManualClock(), ListRecorder()
        self.keys = {name: Ed25519PrivateKey.generate() for name in (QIAN, SUN)}
        self.administrators = {name: _public(key) for name, key in self.keys.items()} if named else {}
        self.key = Ed25519PrivateKey.generate()
        self.folder = folder / "policies"
        self.past: list[Past] = []
        key_file = folder / "release.key"
        key_file.write_bytes(self.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
        key_file.chmod(0o600)
        release(
            self.folder,
            SMALL,
            key=self.key,
            journal=folder / JOURNAL,
            recorder=self.recorder,
            at=self.clock.now(),
            actor="init",
        )
        self.store = DeskStore.open(folder / "desk.db")
        self.desk = Desk(
            store=self.store,
            folder=self.folder,
            key=self.key.public_key(),
            administrators=lambda: self.administrators,
            decisions=self._decisions,
            recorder=self.recorder,
            clock=self.clock,
        )
        self.clerk = Clerk(
            desk=_Called(self),
            folder=self.folder,
            key_file=key_file,
            journal=folder / JOURNAL,
            recorder=lambda: self.recorder,
            clock=self.clock,
            administrators=lambda: self.administrators,
        )
        guard = Guard(
            clock=self.clock,
            pairs=PairSecrets({"app": _SECRET}),
            verifier=IdentityVerifier(_KEY.public_key(), audience=HOST),
            apart=APART,
        )
        site = SiteSettings(
            name="city",
            domain="city.localhost",
            title="Sample City",
            title_zh="示范市",
            state=folder,
            ports=Ports(external=8443, internal=8444, management=8445, plain=8080, ldaps=8636),
        )
        self.app = create(
            "audit",
            site=site,
            guard=guard,
            session_key=b"k" * 32,
            blueprints=[blueprint(self.desk, guard)],
            translations=[TRANSLATIONS],
            ready=lambda: None,
            behind_proxy=False,
        )

    def reader(self, name: str) -> Reader:
        return Reader(subject=name, session="s-1", zone="management", roles=frozenset({ADMINISTRATOR}))

    def get(self, path: str, **who: Any) -> TestResponse:
        """Ask as an administrator, through the gateway."""
        headers = {HEADER: self._header(path, **who)}
        return self.app.test_client().get(path, headers=headers, environ_overrides={"REQUEST_URI": path})

    def post(self, path: str, form: Mapping[str, str], **who: Any) -> TestResponse:
        """Send a form of a page that was just shown to this administrator."""
        client = self.app.test_client()
        shown = client.get(
            "/policies", headers={HEADER: self._header("/policies")}, environ_overrides={"REQUEST_URI": "/policies"}
        )
        token = re.search(r'name="csrf_token" value="([^"]+)"', shown.text)
        assert token
        headers = {HEADER: self._header(path, method="POST", **who)}
        return client.post(
            path, data={**form, "csrf_token": token[1]}, headers=headers, environ_overrides={"REQUEST_URI": path}
        )

    def signed(self, identifier: str, name: str) -> str:
        """What an administrator's command prints about the statement that the desk gives out."""
        said = self.get(f"/policies/drafts/{identifier}/statement", subject=name).data
        return base64.b64encode(self.keys[name].sign(said)).decode()

    def version(self, identifier: str) -> str:
        return str(self.store.get(identifier).version)

    def _decisions(self, _reader: Reader, _days: int) -> Iterator[Past]:
        yield from self.past

    def _header(
        self,
        path: str,
        *,
        subject: str = QIAN,
        roles: tuple[str, ...] = (ADMINISTRATOR,),
        method: str = "GET",
        assurance: int = 2,
    ) -> str:
        who = Identity(
            subject=subject,
            kind="person",
            session="s-1",
            roles=frozenset(roles),
            assurance=assurance,
            methods=("x509",),
            zone="management",
            decision="d-1",
        )
        return IdentityIssuer(_KEY).issue(who, audience=HOST, method=method, path=path, at=self.clock.now())


class _Called(Peer):
    """The clerk's line to the desk, without a socket."""

    def __init__(self, fake: DeskFake) -> None:
        self._fake = fake

    def call(
        self,
        method: str,
        path: str,
        *,
        document: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        said = {"Tallygate-Caller": "app", "Tallygate-Secret": base64.b64encode(_SECRET).decode()}
        answer = self._fake.app.test_client().open(
            path, method=method, json=document, data=body, headers={**said, **(headers or {})}
        )
        assert answer.status_code == 200, answer.text
        return Answer(answer.status_code, dict(answer.headers), answer.data)


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
