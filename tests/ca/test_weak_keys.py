# SPDX-License-Identifier: Apache-2.0
"""Keys of the right size whose private half others can find: each made as an attacker would meet it, and refused."""

import random
from collections.abc import Callable
from math import prod

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.errors import KeyRefused
from ca.service import CertificateAuthority
from ca.x509 import read_request
from ca.x509.weakness import _SMALL_PRIMES

from .world import ask

KEYS = frozenset({"RSA", "Ed25519"})
EXPONENT = 65537
HALF = 1536
CHANCE = random.Random(20261121)  # noqa: S311 - seeded, so that a failure repeats


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test."""
    if any(number % prime == 0 for prime in _SMALL_PRIMES):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        power = pow(CHANCE.randrange(2, number - 1), odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = pow(power, 2, number)
            if power == number - 1:
                break
        else:
            return False
    return True


def _after(number: int) -> int:
    number |= 1
    while not (_is_prime(number) and (number - 1) % EXPONENT):
        number += 2
    return number


def _roca_prime() -> int:
    """As the library in question made them: k M + 65537^a mod M, where M is the product of many small primes."""
    product = prod(_SMALL_PRIMES[:126])
    while True:
        part = pow(EXPONENT, CHANCE.randrange(1 << 300), product)
        number = CHANCE.randrange(3 << (HALF - 2), 1 << HALF) // product * product + part
        if number.bit_length() == HALF and _is_prime(number) and (number - 1) % EXPONENT:
            return number


def _private(p: int, q: int) -> rsa.RSAPrivateKey:
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key()


def _request(key: rsa.RSAPrivateKey) -> bytes:
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return csr.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _close() -> bytes:
    first = _after(CHANCE.randrange(3 << (HALF - 2), 1 << HALF))
    return _request(_private(first, _after(first + 2)))


def _half_close() -> bytes:
    # The upper halves alike, the lower ones random (CVE-2022-26320).
    first = CHANCE.randrange(3 << (HALF - 2), 1 << HALF)
    second = (first >> (HALF // 2) << (HALF // 2)) + CHANCE.randrange(1 << (HALF // 2))
    return _request(_private(_after(first), _after(second)))


def _roca() -> bytes:
    return _request(_private(_roca_prime(), _roca_prime()))


@pytest.mark.parametrize(
    ("make", "why"),
    [(_close, "too close"), (_half_close, "too close"), (_roca, "can be broken")],
    ids=["twin primes", "primes with one upper half", "ROCA"],
)
def test_an_rsa_key_that_can_be_factored_is_refused(make: Callable[[], bytes], why: str) -> None:
    with pytest.raises(KeyRefused, match=why):
        read_request(make(), keys=KEYS)


def test_an_rsa_key_made_as_it_should_be_is_taken() -> None:
    asked = read_request(_request(rsa.generate_private_key(EXPONENT, 3072)), keys=KEYS)
    assert asked.algorithm == "RSA"


def _forged(point: bytes) -> bytes:
    """A request for a point of small order, signed by nobody: the signature is the neutral element and zero."""
    key = ed25519.Ed25519PrivateKey.generate()
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, None)
    der, own = csr.public_bytes(Encoding.DER), key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert der.count(own) == der.count(csr.signature) == 1
    return der.replace(own, point).replace(csr.signature, (1).to_bytes(32, "little") + bytes(32))


NEUTRAL = (1).to_bytes(32, "little")
SMALL = [
    NEUTRAL,
    bytes(32),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]


def test_the_neutral_element_lets_anybody_prove_possession() -> None:
    # The attack itself: no private key was there, and the proof holds.
    assert x509.load_der_x509_csr(_forged(NEUTRAL)).is_signature_valid


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("point", SMALL, ids=lambda point: point.hex()[:4])
def test_a_point_of_small_order_is_refused(point: bytes, sign: int) -> None:
    with pytest.raises(KeyRefused, match="anybody can sign"):
        read_request(_forged(point[:-1] + bytes([point[-1] | sign])), keys=KEYS)


def test_a_refused_key_is_recorded_and_makes_nothing(authority: CertificateAuthority) -> None:
    with pytest.raises(KeyRefused):
        authority.issue(ask("citizen-signing", csr=_forged(NEUTRAL)))
    assert authority.certificates(ask().subject)[0] == []
