# SPDX-License-Identifier: Apache-2.0
"""Ed25519 and ML-DSA-65 in CMS and JWS; our SM2 arithmetic beside another maker's library."""

from typing import Any

import pytest
from asn1crypto import core
from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
from tongsuopy.crypto import hashes  # type: ignore[import-untyped]  # ships no types
from tongsuopy.crypto.asymciphers import ec  # type: ignore[import-untyped]  # as above
from tongsuopy.crypto.exceptions import InvalidSignature  # type: ignore[import-untyped]  # as above

from signatures.formats import inspect
from signatures.models import Overall, Profile, Verdict
from signatures.pades.grounds import Grounds
from signatures.proofs import sm2
from signatures.verdict import judge
from tests.signatures import made
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


def theirs(key: Any, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SM3()))
    except InvalidSignature:
        return False
    return True


def test_our_arithmetic_and_tongsuo_agree_on_good_and_on_tampered_signatures() -> None:
    for round_ in range(4):
        own, other = ec.generate_private_key(ec.SM2()), ec.generate_private_key(ec.SM2())
        data = bytes([round_]) * (round_ * 31)
        signature = own.sign(data, ec.ECDSA(hashes.SM3()))
        pair = _Pair.load(signature)
        r, s = int(pair["r"].native), int(pair["s"].native)
        tampered = [{"r": r ^ 1, "s": s}, {"r": r, "s": s ^ 2}, {"r": s, "s": r}, {"r": r, "s": 0}, {"r": 0, "s": s}]
        cases = [(own, signature, data), (own, signature, data + b"."), (other, signature, data)]
        cases += [(own, _Pair(each).dump(), data) for each in tampered]
        answers = []
        for key, value, content in cases:
            numbers = key.public_key().public_numbers()
            point = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
            answers.append(sm2.verifies(value, content, point))
            assert answers[-1] == theirs(key.public_key(), value, content)
        assert answers == [True] + [False] * (len(cases) - 1)
