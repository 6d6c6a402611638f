# SPDX-License-Identifier: Apache-2.0
"""Each kind of file at each level in each state of health: how it is made, and what is the right answer."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509

from signatures.models import Level, Overall
from signatures.pades import cms, drawing, longterm
from signatures.pades.signing import Request, prepare
from tests.signatures import documents, made, stamper
from tests.signatures.pki import DAY, NOW, Authority, City, Leaf, client_purpose

SIGNED = NOW - 10 * DAY
CASES = (
    "healthy", "altered", "expired", "revoked before", "revoked after", "suspended", "unknown issuer", "wrong usage",
    "stamp missing", "stamp bad",
)  # fmt: skip
TRUSTED, NOT, CANNOT = Overall.TRUSTED, Overall.NOT_TRUSTED, Overall.CANNOT_TELL
# The right answer, and the code of the answer that decides it, by case: without a time-stamp, with one, with proofs.
RIGHT: Mapping[str, tuple[tuple[Overall, str], tuple[Overall, str], tuple[Overall, str]]] = {
    "healthy": ((TRUSTED, "valid"), (TRUSTED, "valid_then"), (TRUSTED, "valid_then")),
    "altered": ((NOT, ""), (NOT, ""), (NOT, "")),
    "expired": ((CANNOT, "expired"), (CANNOT, "status_then_unknown"), (TRUSTED, "valid_then")),
    "revoked before": ((NOT, "revoked"), (NOT, "revoked_before"), (NOT, "revoked_before")),
    "revoked after": ((NOT, "revoked"), (TRUSTED, "revoked_later"), (TRUSTED, "revoked_later")),
    "suspended": ((CANNOT, "suspended"), (CANNOT, "suspended"), (CANNOT, "suspended")),
    "unknown issuer": ((NOT, "issuer_unknown"), (NOT, "issuer_unknown"), (NOT, "issuer_unknown")),
    "wrong usage": ((NOT, "wrong_purpose"), (NOT, "wrong_purpose"), (NOT, "wrong_purpose")),
    "stamp missing": ((TRUSTED, "stamp_missing"),) * 3,
    "stamp bad": ((TRUSTED, "valid"), (CANNOT, "stamp_broken"), (CANNOT, "stamp_broken")),
}


@dataclass(frozen=True)
class Sample:
    """A file, what came beside it, and the lists of the day on which it is judged."""

    document: bytes
    content: bytes | None
    lists: tuple[bytes, ...]


@dataclass(frozen=True)
class Order:
    """How to sign one file."""

    leaf: Leaf
    level: Level
    # None: without a time-stamp, whatever the level.
    unit: Leaf | None
    # Time-stamps are over something else.
    bad_stamp: bool
    proofs: tuple[bytes, ...]


class Makers:
    """One city and everything that may happen in it."""

    def __init__(self) -> None:
        self._city = City()
        self.trust = self._city.trust()
        self._unit = stamper.unit(self._city.organisations)
        issuer = self._city.organisations
        seal = "Jiangcheng Tax Bureau Seal"
        self._leaves = {
            "healthy": self._city.seal(),
            "expired": issuer.leaf(seal, before=NOW - 300 * DAY, after=NOW - 5 * DAY),
            "revoked before": self._city.seal(),
            "revoked after": self._city.seal(),
            "suspended": self._city.seal(),
            "unknown issuer": Authority("Far Away CA", Authority("Far Away Root CA")).leaf(seal),
            "wrong usage": issuer.leaf(seal, purpose=client_purpose()),
        }
        self._permit = documents.permit()

    def sample(self, kind: str, level: Level, case: str) -> Sample:
        """One file of the matrix."""
        leaf = self._leaves.get(case, self._leaves["healthy"])
        unit = None if level is Level.B or case == "stamp missing" else self._unit
        proofs = (
            ()
            if level in {Level.B, Level.T}
            else (self._city.organisations.crl(at=SIGNED), self._city.root.crl(at=SIGNED))
        )
        order = Order(leaf, level, unit, bad_stamp=case == "stamp bad", proofs=proofs)
        document, content = KINDS[kind].make(self._permit if kind == "pdf" else made.LETTER, order)
        if case == "altered":
            document, content = KINDS[kind].alter(document, content)
        return Sample(document, content, self._lists(case, leaf))

    def _lists(self, case: str, leaf: Leaf) -> tuple[bytes, ...]:
        issuer = self._city.organisations
        reasons = {"suspended": x509.ReasonFlags.certificate_hold}
        try:
            if case in {"revoked before", "revoked after", "suspended"}:
                issuer.revoke(leaf, reasons.get(case, x509.ReasonFlags.key_compromise))
                issuer.revoked_at = NOW - DAY if case == "revoked after" else SIGNED - DAY
            return tuple(self._city.lists())
        finally:
            issuer.revoked.clear()
            issuer.revoked_at = NOW - DAY


def _pdf(content: bytes, order: Order) -> tuple[bytes, None]:
    signer = cms.KeySigner(key=order.leaf.key, certificate=order.leaf.pem, chain=order.leaf.chain)
    request = Request(
        drawing=_PICTURE,
        certificate=made.der(order.leaf),
        room=signer.room + 8192,
        at=SIGNED,
        name="江城市税务局",
        reason="",
    )
    prepared = prepare(content, request)
    unit = order.unit
    stamp = unit and (lambda value: stamper.token(b"something else" if order.bad_stamp else value, unit, SIGNED))
    signed = signer.sign_digest(prepared.digest, stamp=stamp or None)
    document = cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=signed)
    if order.proofs:
        shown = [made.der(order.leaf), *made.chain(order.leaf)]
        document = longterm.add_proofs(document, certificates=shown, lists=order.proofs)
    if order.level is Level.LTA and order.unit:
        archive = longterm.prepare_stamp(document, room=8192, name="Archive1")
        over = (
            b"something else"
            if order.bad_stamp
            else archive.document[: archive.start] + archive.document[archive.end :]
        )
        token = stamper.token(over, order.unit, SIGNED + DAY)
        document = cms.put_into(archive.document, start=archive.start, end=archive.end, content=token)
    return document, None


_PICTURE = drawing.seal(documents.outlines(), name_zh="江城市税务局", name="Jiangcheng Tax Bureau")


def _cades(content: bytes, order: Order, *, detached: bool = False) -> bytes:
    over = b"something else" if order.bad_stamp else None
    return made.cades(content, [order.leaf], at=SIGNED, detached=detached, lists=order.proofs, by=order.unit, over=over)


def _xades(content: bytes, order: Order, *, enveloping: bool) -> bytes:
    over = b"something else" if order.bad_stamp else None
    return made.xades(
        content, order.leaf, at=SIGNED, enveloping=enveloping, by=order.unit, over=over, lists=order.proofs
    )


def _jades(content: bytes, order: Order) -> bytes:
    over = b"something else" if order.bad_stamp else None
    return made.jades(content, order.leaf, at=SIGNED, by=order.unit, over=over, lists=order.proofs)


_TOLD, _SWAPPED = (base64.urlsafe_b64encode(text)[:36] for text in (made.LETTER, b"The city owes you 9000 yuan.\n"))


def _asic(content: bytes, order: Order) -> bytes:
    return made.asic({"letter.txt": content, "plan.txt": b"plan"}, lambda listed: _cades(listed, order, detached=True))


def _swapped(old: bytes, new: bytes) -> Callable[[bytes, bytes | None], tuple[bytes, bytes | None]]:
    def alter(document: bytes, content: bytes | None) -> tuple[bytes, bytes | None]:
        assert old in document
        return document.replace(old, new), content

    return alter


def _rezipped(document: bytes, content: bytes | None) -> tuple[bytes, bytes | None]:
    files = made.unzipped(document)
    return made.zipped({**files, "letter.txt": b"The city owes you 9000 yuan.\n"}), content


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    levels: Sequence[Level]
    make: Callable[[bytes, Order], tuple[bytes, bytes | None]]
    alter: Callable[[bytes, bytes | None], tuple[bytes, bytes | None]]


_TO_LT = (Level.B, Level.T, Level.LT)
KINDS: Mapping[str, Kind] = {
    "pdf": Kind((*_TO_LT, Level.LTA), _pdf, lambda d, c: (documents.one_byte_changed(d), c)),
    "cms": Kind(_TO_LT, lambda c, o: (_cades(c, o), None), _swapped(b"1000 yuan", b"9000 yuan")),
    "cms detached": Kind(
        _TO_LT, lambda c, o: (_cades(c, o, detached=True), c), lambda d, c: (d, (c or b"").replace(b"1000", b"9000"))
    ),
    "xades": Kind(_TO_LT, lambda c, o: (_xades(c, o, enveloping=False), None), _swapped(b"1000 yuan", b"9000 yuan")),
    "xades enveloping": Kind(
        _TO_LT, lambda c, o: (_xades(c, o, enveloping=True), None), _swapped(b"1000 yuan", b"9000 yuan")
    ),
    "asic": Kind(_TO_LT, lambda c, o: (_asic(c, o), None), _rezipped),
    "jades": Kind(_TO_LT, lambda c, o: (_jades(c, o), None), _swapped(_TOLD, _SWAPPED)),
    "jws": Kind((Level.B,), lambda c, o: (made.jws(c, o.leaf, at=SIGNED), None), made.payload_swapped),
}


def rows() -> list[tuple[str, Level, str]]:
    """Every cell of the matrix."""
    return [(kind, level, case) for kind, found in KINDS.items() for level in found.levels for case in CASES]


def column(level: Level, case: str) -> int:
    """Which of the three right answers applies."""
    return 0 if level is Level.B or case == "stamp missing" else 1 if level is Level.T else 2
