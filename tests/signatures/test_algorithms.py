# SPDX-License-Identifier: Apache-2.0
"""Ed25519 and ML-DSA-65 in CMS and JWS; our SM2 arithmetic beside another maker's library."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from asn1crypto import core
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from tongsuopy.crypto import hashes  # type: ignore[import-untyped]  # ships no types
from tongsuopy.crypto.asymciphers import ec  # type: ignore[import-untyped]  # as above

from signatures import proofs
from signatures.formats import inspect
from signatures.models import Inspection, Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.proofs import fast, sm2
from signatures.verdict import judge
from tests.signatures import made, ofds
from tests.signatures.pki import NOW, City


def look(document: bytes, city: City) -> Verdict:
    found = inspect(document, grounds=Grounds(city.trust(), city.lists()), profile=Profile.STRICT, at=NOW)
    return judge(document, found, profile=Profile.STRICT, at=NOW)


@pytest.mark.parametrize("kind", [ed25519.Ed25519PrivateKey, mldsa.MLDSA65PrivateKey])
def test_newer_algorithms_are_judged_in_cms_and_jws(kind: Any, city: City) -> None:
    leaf = city.organisations.leaf("Seal", key=kind.generate())
    digest = "sha512" if kind is ed25519.Ed25519PrivateKey else "sha256"
    signed = made.cades(made.LETTER, [leaf], digest=digest)
    assert look(signed, city).overall is Overall.TRUSTED
    altered = look(signed.replace(b"1000 yuan", b"9000 yuan"), city)
    assert (altered.overall, altered.subindication) == (Overall.NOT_TRUSTED, "HASH_FAILURE")
    # A flipped bit of the signature itself, which stands last.
    assert look(signed[:-1] + bytes([signed[-1] ^ 1]), city).overall is Overall.NOT_TRUSTED
    token = made.jws(made.LETTER, leaf)
    assert look(token, city).overall is Overall.TRUSTED
    assert look(made.payload_swapped(token, None)[0], city).overall is Overall.NOT_TRUSTED
    # The same key under another algorithm's name is not tried.
    assert look(made.jws(made.LETTER, leaf, alg="ES256"), city).overall is not Overall.TRUSTED


class _Pair(core.Sequence):  # type: ignore[misc]  # asn1crypto is not annotated
    _fields = [("r", core.Integer), ("s", core.Integer)]  # noqa: RUF012 - its way


@pytest.fixture
def engine() -> Iterator[None]:
    """Whatever a test chooses, the next one starts from our own arithmetic."""
    yield
    sm2.use(None)


def vectors() -> list[tuple[bytes, bytes, bytes]]:
    """Signatures by Tongsuo, good and tampered with, and what is no signature: each with data and a key."""
    found = []
    order = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
    for round_ in range(3):
        own, other = ec.generate_private_key(ec.SM2()), ec.generate_private_key(ec.SM2())
        data = bytes([round_]) * (round_ * 31)
        signature = own.sign(data, ec.ECDSA(hashes.SM3()))
        points = [_point(key.public_key().public_numbers()) for key in (own, other)]
        pair = _Pair.load(signature)
        r, s = int(pair["r"].native), int(pair["s"].native)
        tampered = [
            (r ^ 1, s),
            (r, s ^ 2),
            (s, r),
            (r, 0),
            (0, s),
            (r, order - r),
            (r + order, s),
            (r, s + order),
            (-r, s),
        ]
        found.append((signature, data, points[0]))
        found += [(_Pair({"r": one, "s": two}).dump(), data, points[0]) for one, two in tampered]
        # BER that is no DER: a length in the long form, and a number with a zero too many.
        found += [
            (b"\x30\x81" + signature[1:], data, points[0]),
            (signature + b"\0", data, points[0]),
            (b"", data, points[0]),
        ]
        found += [(signature, data + b".", points[0]), (signature, data, points[1])]
        found += [
            (signature, data, points[0][:-1] + b"\0"),
            (signature, data, b"\4" + bytes(64)),
            (signature, data, b"\2"),
        ]
    return found


def _point(numbers: Any) -> bytes:
    found: bytes = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return found


@pytest.mark.usefixtures("engine")
def test_our_arithmetic_and_tongsuo_give_the_same_answers() -> None:
    cases = vectors()
    ours = [sm2.verifies(*case) for case in cases]
    assert fast.prefer() == fast.TONGSUO
    assert [sm2.verifies(*case) for case in cases] == ours
    assert ours == ([True] + [False] * (len(cases) // 3 - 1)) * 3


@pytest.mark.usefixtures("engine")
def test_whole_verdicts_do_not_depend_on_who_reckons() -> None:
    root = ofds.Issuer()
    maker, signer, unit = (ofds.holder(name, root, stamping=name == "unit") for name in ("maker", "signer", "unit"))
    own = ofds.seal(maker, signer)
    signing = ofds.new_form(own, signer, stamp=lambda value: ofds.token(value, unit, NOW))
    good = ofds.sealed(maker, signer, own=own, signing=signing)
    files = made.unzipped(good)
    value = files[ofds.VALUE]
    forged = made.zipped({**files, ofds.VALUE: value[:-1] + bytes([value[-1] ^ 1])})
    grounds = Grounds(root.trust(), [root.list()])

    def answers() -> list[Inspection]:
        return [inspect(each, grounds=grounds, profile=Profile.STRICT, at=NOW) for each in (good, forged)]

    ours = answers()
    assert ours[0].signatures[0].signature_verifies
    assert fast.prefer() == fast.TONGSUO
    assert answers() == ours


@pytest.mark.usefixtures("engine")
def test_where_tongsuo_is_missing_or_wrong_our_own_arithmetic_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    case = vectors()[0]
    for wrong in (lambda *_: True, lambda *_: False):
        assert not fast.trusted(wrong)
        assert sm2.verifies(*case)
        assert not sm2.verifies(case[0], case[1] + b".", case[2])
    monkeypatch.setitem(sys.modules, "tongsuopy.crypto", None)
    monkeypatch.delitem(sys.modules, "signatures.proofs.tongsuo", raising=False)
    monkeypatch.delattr(proofs, "tongsuo", raising=False)
    assert fast.prefer() == fast.OWN
    assert sm2.verifies(*case)
