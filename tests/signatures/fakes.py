# SPDX-License-Identifier: Apache-2.0
"""Small real collaborators: an authority that issues from the test city, a directory of three people, one rule."""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Event
from ca.models import CertificateStatus, Issued, IssueRequest, Standing
from core.errors import NotFound
from core.identity import Identity, IdentityIssuer, IdentityVerifier
from directory.models import Mandate, Organisation, Person, PersonKind
from policies.models import Decision, DecisionRequest
from signatures.agencies import AgencyStore
from signatures.config import SignatureSettings
from signatures.holds import FileHold
from signatures.keeping import KeepingStore, Rule
from signatures.models import Level, SealOrder
from signatures.sandbox import ReaderPool
from signatures.service import Desk, Forming, Keepers, Once, Permission, Reports, Sealing, Seconding
from signatures.service.commitment import Commitments
from signatures.service.keys import SealKeys
from signatures.service.wishes import Wishes
from signatures.shelf import Shelf
from signatures.shelf.store import ShelfStore
from signatures.store import Store
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents
from tests.signatures.pki import DAY, DOCUMENT_SIGNING, NOW, City

CLERK = "1b6e2a54-0000-4000-8000-000000000001"
CITIZEN = "1b6e2a54-0000-4000-8000-000000000002"
MERCHANT = "1b6e2a54-0000-4000-8000-000000000003"


class TestAuthority:
    """Issues at once; standings are set by hand."""

    __test__ = False

    def __init__(self, city: City) -> None:
        self._city = city
        self.standing: dict[str, Standing] = {}
        self.requests: list[IssueRequest] = []

    def issue(self, request: IssueRequest) -> Issued:
        self.requests.append(request)
        load = x509.load_pem_x509_csr if request.csr.startswith(b"-----") else x509.load_der_x509_csr
        asked = load(request.csr)
        issuer = self._city.organisations
        leaf = issuer.leaf("Seal of " + request.subject, before=NOW - DAY, purpose=DOCUMENT_SIGNING)
        builder = x509.CertificateBuilder(
            issuer.subject,
            leaf.certificate.subject,
            asked.public_key(),
            leaf.certificate.serial_number,
            NOW - DAY,
            NOW + 300 * DAY,
            list(leaf.certificate.extensions),
        )
        made = builder.sign(issuer.key, hashes.SHA256())
        self.standing[leaf.serial] = Standing.GOOD
        return Issued(serial=leaf.serial, certificate=made.public_bytes(Encoding.PEM), chain=issuer.pem)

    def status(self, serial: str) -> CertificateStatus:
        return CertificateStatus(serial=serial, standing=self.standing.get(serial, Standing.UNKNOWN))


class People:
    """A clerk of the tax bureau, a citizen, and a merchant with a mandate."""

    def __init__(self) -> None:
        self.persons = {
            CLERK: Person(
                subject=CLERK,
                username="li.na",
                kind=PersonKind.CIVIL_SERVANT,
                name="Li Na",
                organisation="tax-bureau",
            ),
            CITIZEN: Person(subject=CITIZEN, username="wang", kind=PersonKind.CITIZEN, name="Wang Xiaoming"),
            MERCHANT: Person(
                subject=MERCHANT,
                username="zhao",
                kind=PersonKind.CITIZEN,
                name="Zhao",
                mandates=(
                    Mandate(organisation="silk-company", scope="seal", until=date(2027, 1, 1)),
                    Mandate(organisation="tax-bureau", scope="seal", until=date(2026, 11, 19)),
                    Mandate(organisation="tax-bureau", scope="tax", until=date(2027, 1, 1)),
                ),
            ),
        }

    def person(self, subject: str) -> Person:
        if subject not in self.persons:
            raise NotFound
        return self.persons[subject]

    def person_by_username(self, username: str) -> Person:
        found = next((each for each in self.persons.values() if each.username == username), None)
        if found is None:
            raise NotFound
        return found

    def organisation(self, identifier: str, /) -> Organisation:
        known = {"tax-bureau": ("Jiangcheng Tax Bureau", "江城市税务局"), "silk-company": ("Silk Ltd.", "江城丝绸公司")}
        if identifier not in known:
            raise NotFound
        name, name_zh = known[identifier]
        return Organisation(
            id=identifier, name=name, name_zh=name_zh, credit_code="", agency=identifier == "tax-bureau"
        )


COMMITMENTS = Commitments(b"k" * 32)
PORTAL = "portal:documents"
HOST = "documents.city.localhost"
GATEWAY = ec.generate_private_key(ec.SECP256R1())


def wishes() -> Wishes:
    """The operator, and one portal behind the gateway."""
    return Wishes(
        operators=["app"],
        hosts={
            PORTAL: IdentityVerifier(GATEWAY.public_key(), audience=HOST),
            "sign": IdentityVerifier(GATEWAY.public_key(), audience="sign.city.localhost"),
        },
    )


def let_through(
    subject: str = CLERK, *, audience: str = HOST, method: str = "POST", at: datetime = NOW, **changes: object
) -> str:
    """The header of one request that the gateway let through, each by a decision of its own."""
    fields: dict[str, object] = {
        "subject": subject,
        "kind": "person",
        "session": "s1",
        "roles": frozenset({"civil-servant"}),
        "assurance": 2,
        "methods": ("hwk",),
        "zone": "internal",
        "decision": secrets.token_hex(16),
    }
    identity = Identity(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name
    return IdentityIssuer(GATEWAY).issue(identity, audience=audience, method=method, path="/seal", at=at)


def decide(request: DecisionRequest) -> Decision:
    """The shipped rule for seals, in one line."""
    program = request.principal_kind == "client"
    may = request.owner in request.mandates or (
        (program or "civil-servant" in request.roles) and request.organisation == request.owner
    )
    allowed = may and request.enabled and (program or request.assurance >= 2)
    return Decision(
        allowed=allowed,
        code="allowed" if allowed else "role",
        reasons=("seal-by-civil-servant",) if allowed else (),
        step_up=None,
        version="7",
    )


def encode(event: Event) -> bytes:
    return json.dumps({"key": event.key, "type": event.type, "outcome": event.outcome.value}).encode()


def seal_keys(folder: Path) -> SealKeys:
    """Kept in files, encrypted."""
    return SealKeys({"file": FileHold(folder, b"h" * 32)}, make_of="file")


def anybody(organisation: str) -> Rule:
    """A seal without keepers."""
    return Rule(organisation=organisation)


def anything(_client: str, _organisation: str, _caller: str) -> bool:
    """A program that is let do whatever it asks."""
    return True


def sealing(
    *,
    store: Store,
    readers: ReaderPool,
    folder: Path,
    authority: TestAuthority,
    recorder: ListRecorder,
    clock: ManualClock,
    people: People | None = None,
    level: Level = Level.B,
    stamp: Callable[[bytes], bytes] | None = None,
    lists: Callable[[], Sequence[bytes]] | None = None,
    rules: Callable[[str], Rule] = anybody,
    lets: Callable[[str, str, str], bool] = anything,
) -> Sealing:
    """The grant, put together as the role does it."""
    keys = seal_keys(folder)
    return Sealing(
        store=store,
        permission=Permission(
            people=people or People(),
            decide=decide,
            recorder=recorder,
            wishes=wishes(),
            clock=clock,
            mandate="seal",
            lets=lets,
        ),
        forming=Forming(
            readers=readers,
            keys=keys,
            status=authority.status,
            outlines=documents.outlines(),
            clock=clock,
            level=level,
            stamp=stamp,
            lists=lists,
            address=lambda commitment: f"https://verify.city.localhost/?document={commitment}",
        ),
        keys=keys,
        authority=authority,
        recorder=recorder,
        nudge=lambda: None,
        commitments=COMMITMENTS,
        rules=rules,
        clock=clock,
    )


@dataclass
class TwoKeepers:
    """Who keeps seals, and orders that wait for a second keeper, put together as the role does it."""

    keepers: Keepers
    orders: Seconding
    once: Once
    shelf: Shelf
    desk: Desk
    stores: tuple[ShelfStore, AgencyStore]

    def close(self) -> None:
        for each in self.stores:
            each.close()


def seconding(
    *,
    store: KeepingStore,
    granting: Sealing,
    once: Once,
    desk: Desk,
    shelf: Shelf,
    readers: ReaderPool,
    recorder: ListRecorder,
    clock: ManualClock,
    people: People | None = None,
) -> Seconding:
    """Orders that wait for keepers."""
    return Seconding(
        store=store,
        sealing=granting,
        permission=Permission(
            people=people or People(),
            decide=decide,
            recorder=recorder,
            wishes=wishes(),
            clock=clock,
            mandate="seal",
            lets=anything,
        ),
        once=once,
        desk=desk,
        shelf=shelf,
        readers=readers,
        recorder=recorder,
        nudge=lambda: None,
        clock=clock,
        address=lambda order: f"https://sign.city.localhost/my/orders/{order}",
    )


def two_keepers(
    folder: Path,
    *,
    store: KeepingStore,
    granting: Sealing,
    readers: ReaderPool,
    people: People,
    recorder: ListRecorder,
    clock: ManualClock,
) -> TwoKeepers:
    """Beside a grant over the same tables."""
    shelves, agencies = ShelfStore.open(folder / "orders-shelf.db"), AgencyStore.open(folder / "orders-agencies.db")
    shelf = Shelf(folder=folder / "orders", store=shelves, key=b"k" * 32, clock=clock)
    desk = Desk(shelf=shelf, readers=readers, settings=SignatureSettings())
    once = Once(sealing=granting, shelf=shelf, store=agencies, clock=clock, room=1 << 30)
    orders = seconding(
        store=store,
        granting=granting,
        once=once,
        desk=desk,
        shelf=shelf,
        readers=readers,
        people=people,
        recorder=recorder,
        clock=clock,
    )
    keepers = Keepers(store=store, people=people, recorder=recorder, nudge=lambda: None, clock=clock, mandate="seal")
    return TwoKeepers(keepers, orders, once, shelf, desk, (shelves, agencies))


def reports() -> Reports:
    """By the city."""
    settings = SignatureSettings()
    return Reports(
        key=b"r" * 32,
        by={"en": "Jiangcheng", "zh": "江城市"},
        font=settings.report_font,
        font_face=settings.report_font_face,
    )


class Alone:
    """Seals that nobody has to confirm, whatever the document is called."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    def seal(self, order: SealOrder, /, *, name: str) -> bytes:  # noqa: ARG002 - where an order waits, it is called so
        return self._sealing.seal(order)
