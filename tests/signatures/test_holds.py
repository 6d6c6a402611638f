# SPDX-License-Identifier: Apache-2.0
"""Keys that are kept: both makes keep the same promises, in files that say nothing and in a real PKCS #11 token."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pkcs11
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from signatures.holds import Algorithm, FileHold, HeldKey, HoldUnavailable, KeyGone, KeyHold, TokenHold, request

_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
_PIN = "1234-5678"


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A token of its own for this file; the folder that holds its PIN."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    (folder / "pin").write_text(f"{_PIN}\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", "people", "--so-pin", "1111", "--pin", _PIN],
        check=True,
        capture_output=True,
    )
    yield folder
    if before is None:
        del os.environ["SOFTHSM2_CONF"]
    else:
        os.environ["SOFTHSM2_CONF"] = before


def _token(folder: Path, *, label: str = "people", pin: str = "pin") -> TokenHold:
    module = next(Path(each) for each in _MODULES if Path(each).exists())
    return TokenHold(module=module, label=label, pin=folder / pin)


@pytest.fixture(scope="module")
def holds(softhsm: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, KeyHold]:
    return {"file": FileHold(tmp_path_factory.mktemp("keys") / "held", b"h" * 32), "token": _token(softhsm)}


def _verify(key: HeldKey, signature: bytes, data: bytes) -> None:
    public = load_der_public_key(key.public)
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    elif isinstance(public, mldsa.MLDSA65PublicKey):
        public.verify(signature, data)
    else:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, data, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("make", "algorithm"),
    [
        ("file", Algorithm.P256),
        ("file", Algorithm.RSA),
        ("file", Algorithm.ML_DSA_65),
        ("token", Algorithm.P256),
        ("token", Algorithm.RSA),
    ],
)
def test_a_key_signs_asks_for_its_certificate_and_is_gone_when_dropped(
    holds: dict[str, KeyHold], make: str, algorithm: Algorithm
) -> None:
    hold = holds[make]
    key = hold.make(algorithm)
    signature = hold.sign(key, b"what is signed")
    _verify(key, signature, b"what is signed")
    with pytest.raises(InvalidSignature):
        _verify(key, signature, b"something else")
    asked = x509.load_der_x509_csr(request(hold, key))
    assert asked.is_signature_valid
    assert asked.public_key() == load_der_public_key(key.public)
    assert list(asked.subject) == list(asked.extensions) == []
    hold.drop(key)
    hold.drop(key)
    with pytest.raises(KeyGone):
        hold.sign(key, b"what is signed")


def test_no_key_lies_readable_on_the_disk_and_none_passes_for_another(tmp_path: Path) -> None:
    hold = FileHold(tmp_path, b"h" * 32)
    one, two = hold.make(Algorithm.P256), hold.make(Algorithm.P256)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert b"PRIVATE" not in path.read_bytes()
        # Where the algorithm would stand in PKCS #8.
        assert bytes.fromhex("2a8648ce3d0201") not in path.read_bytes()
    (tmp_path / f"{one.name}.key").write_bytes((tmp_path / f"{two.name}.key").read_bytes())
    for other in (FileHold(tmp_path, b"h" * 32), FileHold(tmp_path, b"o" * 32)):
        with pytest.raises(KeyGone):
            other.sign(one, b"x")
    with pytest.raises(KeyGone):
        FileHold(tmp_path, b"o" * 32).sign(two, b"x")
    for name in ("../" + two.name, "", two.name.upper()):
        with pytest.raises(KeyGone):
            hold.sign(HeldKey(name=name, algorithm=Algorithm.P256, public=two.public), b"x")


def test_a_token_keeps_its_keys_over_a_restart_and_says_so_when_it_cannot_be_reached(
    softhsm: Path, holds: dict[str, KeyHold]
) -> None:
    first, second = _token(softhsm), _token(softhsm)
    key = first.make(Algorithm.P256)
    _verify(key, second.sign(key, b"x"), b"x")
    first.close()
    _verify(key, second.sign(key, b"x"), b"x")
    second.close()
    used = holds["token"]
    assert isinstance(used, TokenHold)
    used.close()
    (softhsm / "wrong").write_text("0000")
    for broken in (_token(softhsm, label="nobody"), _token(softhsm, pin="wrong"), _token(softhsm, pin="missing")):
        with pytest.raises(HoldUnavailable):
            broken.sign(key, b"x")
    with pytest.raises(HoldUnavailable):
        TokenHold(module=softhsm / "no-library.so", label="people", pin=softhsm / "pin").sign(key, b"x")
    with pytest.raises(HoldUnavailable):
        _token(softhsm).make(Algorithm.ML_DSA_65)


def test_a_pin_that_was_refused_is_not_tried_again_until_the_file_holds_another(
    softhsm: Path, holds: dict[str, KeyHold]
) -> None:
    """Tokens lock themselves after a few wrong ones, and every request would be one more."""
    first, used = _token(softhsm), holds["token"]
    key = first.make(Algorithm.P256)
    assert isinstance(used, TokenHold)
    # A login is the whole process's.
    for each in (first, used):
        each.close()
    (softhsm / "later").write_text("4321-8765")
    hold = _token(softhsm, pin="later")
    with pytest.raises(HoldUnavailable):
        hold.sign(key, b"x")
    # From now on the token itself would take it: whoever is refused all the same did not ask.
    module = next(Path(each) for each in _MODULES if Path(each).exists())
    with pkcs11.lib(str(module)).get_token(token_label="people").open(user_pin=_PIN, rw=True) as session:
        session.set_pin(_PIN, "4321-8765")
    try:
        with pytest.raises(HoldUnavailable):
            hold.sign(key, b"x")
        (softhsm / "later").write_text("4321-8765 is another one")
        with pytest.raises(HoldUnavailable):
            hold.sign(key, b"x")
        (softhsm / "later").write_text("4321-8765\n")
        _verify(key, hold.sign(key, b"x"), b"x")
    finally:
        hold.close()
        with pkcs11.lib(str(module)).get_token(token_label="people").open(user_pin="4321-8765", rw=True) as session:
            session.set_pin("4321-8765", _PIN)


def test_a_key_and_its_name_are_on_the_disk_before_anybody_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    FileHold(tmp_path / "held", b"h" * 32).make(Algorithm.P256)
    # The file, and then the folder that names it.
    assert synced == [False, True]


def test_a_token_that_is_pulled_out_midway_refuses_and_goes_on_when_it_is_back(softhsm: Path) -> None:
    hold = _token(softhsm)
    key = hold.make(Algorithm.P256)
    hold.sign(key, b"x")
    away = softhsm / "away"
    (softhsm / "tokens").rename(away)
    try:
        with pytest.raises((HoldUnavailable, KeyGone)):
            hold.sign(key, b"x")
    finally:
        away.rename(softhsm / "tokens")
    _verify(key, hold.sign(key, b"x"), b"x")
