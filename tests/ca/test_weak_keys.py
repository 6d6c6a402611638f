# SPDX-License-Identifier: Apache-2.0
"""Keys of the right size whose private half others can find: each made as an attacker would meet it, and refused."""

import hashlib
import random
from collections.abc import Callable
from math import prod
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca import CASettings
from ca.errors import KeyRefused, RequestRefused
from ca.models import Standing
from ca.service import CertificateAuthority
from ca.x509 import read_blocklist, read_request
from ca.x509.blocklist import modulus_print
from ca.x509.weakness import _SMALL_PRIMES
from core.config import ConfigurationError
from tests.fakes.people import OFFICER

from .world import World, ask, request_for

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


# Points that are on no curve of ours.


def _off_curve(curve: ec.EllipticCurve) -> bytes:
    """A request whose point was moved: with such a key a careless party gives away its own (invalid curve attack)."""
    key = ec.generate_private_key(curve)
    der = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    moved = point[:-1] + bytes([point[-1] ^ 1])
    return der.public_bytes(Encoding.DER).replace(point, moved)


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
def test_a_point_off_its_curve_is_refused(curve: ec.EllipticCurve) -> None:
    with pytest.raises(RequestRefused):
        read_request(_off_curve(curve), keys=frozenset({"P-256", "P-384"}))


# Keys that a list names.

# One of Debian's keys of 2008, and how openssl-blacklist names it; the pair is in Boulder's tests too.
DEBIAN = int(
    "D673252AF6723C3F72529403EAB7C30DEF3C52F97E799825F4A70191C616ADCF1ECE1113F1625971074C492C592025FDEADBDB146A081826"
    "BDF0D77C3C913DCF1B6F0B3B78F5108D2E493AD0EEE8CA5C021711ADC13D358E61133870FCD19C8E5C22403959782AA82E72AEE53A3D491E"
    "3912CE27B27E1A85EA69C19A527D28F7934C9823B7E56FDD657DAC83FDC65BB22A98D843DF73238919781B714C81A5E2AFEC71F5C54AA2A2"
    "7C590AD94C03C1062D50EFCFFAC743E3C8A3AE056846A1D756EB862BF4224169D467C35215ADE0AFCC11E85FE629AFB802C4786FF2E9C929"
    "BCCF502B3D3B8876C6A11785CC398B389F1D86BDD9CB0BD4EC13956EC3FA270D",
    16,
)
DEBIAN_SAYS = "8df20e6961a16398b85a"


def test_debians_keys_are_known_as_its_own_list_names_them() -> None:
    key = rsa.RSAPublicNumbers(EXPONENT, DEBIAN).public_key()
    assert modulus_print(key).hex() == DEBIAN_SAYS
    listed = read_blocklist(["# openssl-blacklist", "", DEBIAN_SAYS], name="x")
    assert listed.knows(key, "a" * 64)
    other = rsa.RSAPublicNumbers(EXPONENT, DEBIAN + 2).public_key()
    assert not listed.knows(other, "a" * 64)


@pytest.mark.parametrize("line", ["abc", "g" * 64, "a" * 40, f"{'a' * 64} x"])
def test_a_list_with_a_line_that_names_no_key_is_refused_whole(line: str) -> None:
    with pytest.raises(ConfigurationError, match="x:2"):
        read_blocklist(["a" * 64, line], name="x")


def test_a_list_that_is_missing_stops_the_start(world: World, tmp_path: Path) -> None:
    world.settings = CASettings(blocklists=(tmp_path / "none",))
    with pytest.raises(ConfigurationError):
        world.open()


def test_a_listed_key_gets_no_certificate_and_the_past_is_swept(world: World, tmp_path: Path) -> None:
    """By the hash of the key, and for the RSA key by its modulus alone."""
    slow = rsa.generate_private_key(EXPONENT, 3072)
    requests = [request_for(), _request(slow), request_for()]
    authority = world.open()
    serials = [authority.issue(ask(csr=each)).serial for each in requests]
    keys = [x509.load_pem_x509_csr(requests[0]).public_key(), slow.public_key()]
    spki = keys[0].public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / "blocked"
    path.write_text(f"# lost\n{hashlib.sha256(spki).hexdigest()}\n{modulus_print(slow.public_key()).hex()}\n", "ascii")
    world.settings = CASettings(blocklists=(path,))
    again = world.open()
    for each in requests[:2]:
        with pytest.raises(KeyRefused):
            again.issue(ask(csr=each))
    assert again.block_listed() == 2
    assert again.sweep() == 2
    assert [again.status(each).standing for each in serials] == [Standing.REVOKED, Standing.REVOKED, Standing.GOOD]
    assert world.reported().count("ca.key.blocked") == 2
    assert again.block_listed() == again.sweep() == 0


def test_an_officer_blocks_a_key_that_nothing_was_made_for_yet(world: World) -> None:
    csr, authority = request_for(), world.open()
    key = x509.load_pem_x509_csr(csr).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    assert authority.block_key(digest, actor=OFFICER.subject) == 0
    with pytest.raises(KeyRefused):
        authority.issue(ask(csr=csr))
