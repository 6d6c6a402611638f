# SPDX-License-Identifier: Apache-2.0
"""Each kind of file at each level in each state of health: how it is made, and what is the right answer."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cryptography import x509

from signatures.formats import kept
from signatures.models import Level, Overall
from signatures.pades import cms, drawing, longterm
from signatures.pades.signing import Request, prepare
from tests.signatures import documents, made, ofds, stamper
from tests.signatures.pki import DAY, NOW, Authority, City, Leaf, client_purpose

SIGNED = NOW - 10 * DAY
CASES = (
    "healthy", "altered", "expired", "revoked before", "revoked after", "suspended", "unknown issuer", "wrong usage",
    "stamp missing", "stamp bad",
)  # fmt: skip
_TAKEN_AWAY = frozenset({"revoked before", "revoked after", "suspended"})
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
    # Whose signature, always good, stands beside in files that several sign.
    second: Leaf
    sealers: "Sealers"
    # Who seals an OFD document, in the place of ``leaf``.
    sealer: ofds.Holder

    @property
    def over(self) -> bytes | None:
        """What time-stamps are over in the place of the signature."""
        return b"something else" if self.bad_stamp else None


class Sealers:
    """A city whose keys are SM2 keys, and the same that may happen in it."""

    def __init__(self) -> None:
        self.root = ofds.Issuer()
        self.maker = ofds.holder("江城印章中心", self.root)
        self.unit = ofds.holder("江城时间戳", self.root, stamping=True)
        self._healthy = ofds.holder("江城市税务局", self.root)
        self._others = {
            "expired": ofds.holder("江城市税务局", self.root, before=NOW - 300 * DAY, after=NOW - 5 * DAY),
            "unknown issuer": ofds.holder("江城市税务局", ofds.Issuer()),
            "wrong usage": ofds.holder("江城市税务局", self.root, purpose="client_auth"),
        }

    def of(self, case: str) -> ofds.Holder:
        """Who seals."""
        return self._others.get(case, self._healthy)

    def list(self, case: str) -> bytes:
        """What their issuer says on the day of the judgement."""
        revoked = [self._healthy] if case in _TAKEN_AWAY else []
        since = NOW - DAY if case == "revoked after" else SIGNED - DAY
        return self.root.list(*revoked, since=since, held=case == "suspended")


class Makers:
    """One city and everything that may happen in it."""

    def __init__(self) -> None:
        self._city = City()
        self._sealers = Sealers()
        trust, root = self._city.trust(), self._sealers.root
        for_both = {hashlib.sha256(root.holder.certificate).hexdigest(): frozenset({"sign", "stamp"})}
        self.trust = replace(trust, roots=(*trust.roots, root.pem), purposes=for_both)
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
        self._second = issuer.leaf("Chen Wei")
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
        order = Order(
            leaf,
            level,
            unit,
            bad_stamp=case == "stamp bad",
            proofs=proofs,
            second=self._second,
            sealers=self._sealers,
            sealer=self._sealers.of(case),
        )
        document, content = KINDS[kind].make(self._permit if kind in _PAPERS else made.LETTER, order)
        if case == "altered":
            document, content = KINDS[kind].alter(document, content)
        return Sample(document, content, self._lists(case, leaf))

    def self_made(self) -> Sample:
        """An OFD document with a seal that its own user made."""
        user = self._sealers.of("healthy")
        own = ofds.seal(user, user)
        document = ofds.sealed(user, user, own=own, signing=ofds.new_form(own, user, at=SIGNED))
        return Sample(document, None, self._lists("healthy", self._second))

    def _lists(self, case: str, leaf: Leaf) -> tuple[bytes, ...]:
        issuer = self._city.organisations
        reasons = {"suspended": x509.ReasonFlags.certificate_hold}
        try:
            if case in _TAKEN_AWAY:
                issuer.revoke(leaf, reasons.get(case, x509.ReasonFlags.key_compromise))
                issuer.revoked_at = NOW - DAY if case == "revoked after" else SIGNED - DAY
            return (*self._city.lists(), self._sealers.list(case))
        finally:
            issuer.revoked.clear()
            issuer.revoked_at = NOW - DAY


def _pdf(content: bytes, order: Order, *, several: bool = False) -> tuple[bytes, None]:
    document = _by_both(content, order) if several else _by_one(content, order)
    if order.proofs:
        shown = [made.der(order.leaf), *made.chain(order.leaf)]
        document = longterm.add_proofs(document, certificates=shown, lists=order.proofs)
    if order.level is Level.LTA and order.unit:
        archive = longterm.prepare_stamp(document, room=8192, name="Archive1")
        token = stamper.token(order.over or documents.covered(archive), order.unit, SIGNED + DAY)
        document = cms.put_into(archive.document, start=archive.start, end=archive.end, content=token)
    return document, None


def _by_one(content: bytes, order: Order) -> bytes:
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
    stamp = unit and (lambda value: stamper.token(order.over or value, unit, SIGNED))
    signed = signer.sign_digest(prepared.digest, stamp=stamp or None)
    return cms.put_into(prepared.document, start=prepared.start, end=prepared.end, content=signed)


def _by_both(content: bytes, order: Order) -> bytes:
    return documents.signed_by(content, [order.leaf, order.second], at=SIGNED, by=order.unit, over=order.over)


def _evidence(_: bytes, order: Order) -> tuple[bytes, None]:
    files = {"README.txt": b"read me"}
    report = documents.permit(keywords=made.naming(files))
    return made.evidence(_pdf(report, order)[0], files), None


def _kept(content: bytes, order: Order) -> tuple[bytes, None]:
    """As the archive gives a document away; without a second stamp, which test_beside is about."""
    stamps = int(order.level is Level.LTA)
    return kept.pack(
        "permit.pdf", _pdf(content, order)[0], stamps=stamps, roots=[order.leaf.chain.decode()], beside=()
    ), None


def _altered_within(container: bytes, content: bytes | None) -> tuple[bytes, bytes | None]:
    files = made.unzipped(container)
    return made.zipped({**files, "permit.pdf": documents.one_byte_changed(files["permit.pdf"])}), content


_PICTURE = drawing.seal(documents.outlines(), name_zh="江城市税务局", name="Jiangcheng Tax Bureau")


def _cades(content: bytes, order: Order, *, detached: bool = False, several: bool = False) -> bytes:
    leaves = [order.leaf, order.second] if several else [order.leaf]
    return made.cades(content, leaves, at=SIGNED, detached=detached, lists=order.proofs, by=order.unit, over=order.over)


def _xades(content: bytes, order: Order, *, enveloping: bool) -> bytes:
    return made.xades(
        content, order.leaf, at=SIGNED, enveloping=enveloping, by=order.unit, over=order.over, lists=order.proofs
    )


def _jades(content: bytes, order: Order) -> bytes:
    return made.jades(content, order.leaf, at=SIGNED, by=order.unit, over=order.over, lists=order.proofs)


def _ofd(_: bytes, order: Order) -> tuple[bytes, None]:
    sealers, sealer = order.sealers, order.sealer
    own = ofds.seal(sealers.maker, sealer)
    stamp = partial(_chinese_token, order) if order.unit else None
    return ofds.sealed(sealers.maker, sealer, own=own, signing=ofds.new_form(own, sealer, at=SIGNED, stamp=stamp)), None


def _chinese_token(order: Order, value: bytes) -> bytes:
    return ofds.token(order.over or value, order.sealers.unit, SIGNED)


_TOLD, _SWAPPED = (base64.urlsafe_b64encode(text)[:36] for text in (made.LETTER, b"The city owes you 9000 yuan.\n"))


def _asic(content: bytes, order: Order) -> bytes:
    return made.asic({"letter.txt": content, "plan.txt": b"plan"}, lambda listed: _cades(listed, order, detached=True))


def _asic_xades(content: bytes, order: Order) -> bytes:
    files = {"letter.txt": content, "plan.txt": b"plan"}
    return made.asic_xades(files, order.leaf, at=SIGNED, by=order.unit, over=order.over, lists=order.proofs)


def _swapped(old: bytes, new: bytes) -> Callable[[bytes, bytes | None], tuple[bytes, bytes | None]]:
    def alter(document: bytes, content: bytes | None) -> tuple[bytes, bytes | None]:
        assert old in document
        return document.replace(old, new), content

    return alter


def _rezipped(name: str, other: bytes) -> Callable[[bytes, bytes | None], tuple[bytes, bytes | None]]:
    def alter(document: bytes, content: bytes | None) -> tuple[bytes, bytes | None]:
        return made.zipped({**made.unzipped(document), name: other}), content

    return alter


@dataclass(frozen=True)
class Kind:
    """One kind of file."""

    levels: Sequence[Level]
    make: Callable[[bytes, Order], tuple[bytes, bytes | None]]
    alter: Callable[[bytes, bytes | None], tuple[bytes, bytes | None]]


_TO_T = (Level.B, Level.T)
_TO_LT = (*_TO_T, Level.LT)
_TO_LTA = (*_TO_LT, Level.LTA)
_OTHER = b"The city owes you 9000 yuan.\n"
_PAPERS = frozenset({"pdf", "pdf, two signers", "kept", "evidence"})
KINDS: Mapping[str, Kind] = {
    "pdf": Kind(_TO_LTA, _pdf, lambda d, c: (documents.one_byte_changed(d), c)),
    "pdf, two signers": Kind(_TO_LTA, partial(_pdf, several=True), lambda d, c: (documents.one_byte_changed(d), c)),
    "kept": Kind(_TO_LTA, _kept, _altered_within),
    "cms": Kind(_TO_LT, lambda c, o: (_cades(c, o), None), _swapped(b"1000 yuan", b"9000 yuan")),
    "cms, two signers": Kind(
        _TO_LT, lambda c, o: (_cades(c, o, several=True), None), _swapped(b"1000 yuan", b"9000 yuan")
    ),
    "cms detached": Kind(
        _TO_LT, lambda c, o: (_cades(c, o, detached=True), c), lambda d, c: (d, (c or b"").replace(b"1000", b"9000"))
    ),
    "cms detached, two signers": Kind(
        _TO_T,
        lambda c, o: (_cades(c, o, detached=True, several=True), c),
        lambda d, c: (d, (c or b"").replace(b"1000", b"9000")),
    ),
    "xades": Kind(_TO_LT, lambda c, o: (_xades(c, o, enveloping=False), None), _swapped(b"1000 yuan", b"9000 yuan")),
    "xades enveloping": Kind(
        _TO_LT, lambda c, o: (_xades(c, o, enveloping=True), None), _swapped(b"1000 yuan", b"9000 yuan")
    ),
    "asic": Kind(_TO_LT, lambda c, o: (_asic(c, o), None), _rezipped("letter.txt", _OTHER)),
    "asic with xades": Kind(_TO_LT, lambda c, o: (_asic_xades(c, o), None), _rezipped("letter.txt", _OTHER)),
    "jades": Kind(_TO_LT, lambda c, o: (_jades(c, o), None), _swapped(_TOLD, _SWAPPED)),
    "jws": Kind((Level.B,), lambda c, o: (made.jws(c, o.leaf, at=SIGNED), None), made.payload_swapped),
    "ofd": Kind(_TO_T, _ofd, _rezipped("Doc_0/Pages/Page_0/Content.xml", b"<Page>Fee: 9000 yuan</Page>")),
    "evidence": Kind(_TO_LTA, _evidence, _rezipped("README.txt", b"read it")),
}
_NO_ARCHIVE = "time-stamps for the archive of CAdES, XAdES and JAdES are seen and not used (docs/decisions/0031)"
_NO_ROOM = "the compact form has no place for what is not signed"
_NO_LISTS = "a seal of GB/T 38540 has no place for what issuers said"
_ENOUGH = "as with one signer"
WHY: Mapping[tuple[str, Level], str] = {
    **{
        (kind, Level.LTA): _NO_ARCHIVE
        for kind in ("cms", "cms, two signers", "cms detached", "xades", "xades enveloping", "asic",
                     "asic with xades", "jades")
    },
    **{("cms detached, two signers", level): _ENOUGH for level in (Level.LT, Level.LTA)},
    **{("jws", level): _NO_ROOM for level in (Level.T, Level.LT, Level.LTA)},
    **{("ofd", level): _NO_LISTS for level in (Level.LT, Level.LTA)},
}  # fmt: skip
"""Why a level of a kind is not in the matrix. At level B there is no time-stamp that could be missing or bad: there
these two cases are the healthy file."""


def rows() -> list[tuple[str, Level, str]]:
    """Every cell of the matrix."""
    return [(kind, level, case) for kind, found in KINDS.items() for level in found.levels for case in CASES]


def column(level: Level, case: str) -> int:
    """Which of the three right answers applies."""
    return 0 if level is Level.B or case == "stamp missing" else 1 if level is Level.T else 2
