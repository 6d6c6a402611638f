# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent, reading it ends in a request or in a problem; and at the endpoints never in an error of ours."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ca.acme.jws import ALGORITHMS, read_binding, read_inner, read_key, read_request
from ca.acme.models import Identifier, Kind
from ca.acme.names import allows, dns_name, read_identifier, read_rule
from ca.acme.problems import Problem
from tests.ca.acme.client import HOST, Client, b64, jwk, member, sign
from tests.ca.sites import Site

KEY = ec.generate_private_key(ec.SECP256R1())
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_HEADER = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from([*ALGORITHMS, "none", "HS256"]) | _ANY,
        "jwk": st.just(jwk(KEY)) | _ANY,
        "kid": st.text(max_size=20) | _ANY,
        "nonce": st.text(max_size=20) | _ANY,
        "url": st.text(max_size=20) | _ANY,
        "crit": _ANY,
    },
)


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    with pytest.raises(Problem):
        read_request(content)


@settings(max_examples=50)
@given(_ANY)
def test_any_document(document: Any) -> None:
    for read in (read_inner, read_binding):
        with pytest.raises(Problem):
            read(document)
    with pytest.raises(Problem):
        read_key(document)


@given(_HEADER, st.binary(max_size=40))
def test_any_header_that_is_signed(header: dict[str, Any], payload: bytes) -> None:
    document = sign(KEY, header, payload)
    try:
        found = read_request(json.dumps(document).encode())
    except Problem:
        return
    # What is read has one key and says everything once.
    assert found.payload == payload
    assert bool(found.kid) != (found.jwk is not None)
    assert found.algorithm in ALGORITHMS


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "k"]), _ANY | st.sampled_from(list(jwk(KEY).values()))
    )
)
def test_any_key(members: dict[str, Any]) -> None:
    try:
        found = read_key(members)
    except Problem:
        return
    assert found.thumbprint


def test_a_key_has_its_members_and_no_private_ones() -> None:
    good = jwk(KEY)
    assert read_key({**good, "kid": "x", "use": "sig", "alg": "ES256"}).thumbprint == read_key(good).thumbprint
    for spoilt in (
        {**good, "d": "AAAA"},
        {**good, "x": good["x"] + "A"},
        {**good, "x": good["y"]},
        {**good, "crv": "P-384"},
        {**good, "crv": ["P-256"]},
        {**good, "use": "enc"},
        {**good, "alg": "ES384"},
        {"kty": "RSA", "n": b64(b"\xff" * 128), "e": "AQAB"},
        {"kty": "RSA", "n": b64(b"\xff" * 256), "e": "Aw"},
        {"kty": "RSA", "n": b64(b"\0" + b"\xff" * 256), "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "oct", "k": "AAAA"},
        {},
    ):
        with pytest.raises(Problem):
            read_key(spoilt)


def test_names_given_twice_are_refused() -> None:
    good = sign(KEY, {"alg": "ES256", "jwk": jwk(KEY), "nonce": "x", "url": "x"}, b"")
    assert read_request(json.dumps(good).encode()).url == "x"
    text = json.dumps(good)
    for spoilt in (text[:-1] + ', "payload": "e30"}', text + "x", "\ufeff" + text, text.replace('""', "NaN")):
        with pytest.raises(Problem):
            read_request(spoilt.encode())
    doubled = b64(b'{"alg":"none","alg":"ES256","nonce":"x","url":"x","kid":"x"}')
    with pytest.raises(Problem):
        read_request(json.dumps({**good, "protected": doubled}).encode())


@given(st.text(max_size=40))
def test_any_name(text: str) -> None:
    try:
        found = read_identifier({"type": "dns", "value": text}, wildcard=True)
    except Problem:
        return
    assert found == dns_name(found.value)
    assert found.value == text.lower()
    assert allows([found.value], found)


@pytest.mark.parametrize(
    ("rule", "kept", "allowed", "refused"),
    [
        ("A.example", "a.example", ["a.example"], ["b.a.example", "*.a.example"]),
        (".a.example", ".a.example", ["a.example", "b.a.example", "*.a.example", "*.b.a.example"], ["ba.example"]),
        ("*.a.example", "*.a.example", ["*.a.example"], ["a.example", "b.a.example"]),
        ("市政.example", "xn--bww41v.example", [], ["example"]),
    ],
)
def test_rules_of_a_grant(rule: str, kept: str, allowed: list[str], refused: list[str]) -> None:
    found = read_rule(rule)
    assert found == kept or not rule.isascii()
    assert all(allows([found], Identifier(Kind.DNS, each)) for each in allowed)
    assert not any(allows([found], Identifier(Kind.DNS, each)) for each in refused)


def test_networks_of_a_grant() -> None:
    assert read_rule("10.0.0.0/8") == "10.0.0.0/8"
    assert read_rule("10.0.0.1") == "10.0.0.1"
    assert allows(["10.0.0.0/8"], Identifier(Kind.IP, "10.9.9.9"))
    assert not allows(["10.0.0.0/8", ".0.1"], Identifier(Kind.IP, "11.0.0.1"))
    assert not allows(["10.0.0.0/8"], Identifier(Kind.DNS, "a.example"))
    for rule in (".10.0.0.1", ".*.a.example", "", ".", "a b", "10.0.0.1/8", "-", "é" * 300):
        with pytest.raises(ValueError, match=r"."):
            read_rule(rule)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_signed_nonsense_is_an_error_of_ours(site: Site, data: st.DataObject) -> None:
    client = _member(site)
    paths = ["/new-account", "/new-order", "/new-authz", "/key-change", "/revoke-cert", client.kid, "/order/x/finalize"]
    url = data.draw(st.sampled_from(paths))
    names = ["identifiers", "identifier", "contact", "status", "csr", "certificate", "reason", "protected", "payload",
             "signature", "externalAccountBinding", "profile", "replaces", "termsOfServiceAgreed"]  # fmt: skip
    good = st.sampled_from([[{"type": "dns", "value": HOST}], "AAAA", ["mailto:a@b.example"]])
    wish = data.draw(
        st.dictionaries(st.sampled_from(names), _ANY.filter(_finite) | good, max_size=4) | _ANY.filter(_finite)
    )
    by_key = url in ("/new-account", "/revoke-cert") and data.draw(st.booleans())
    asker = Client(site) if by_key or url == "/new-account" else client
    answer = asker.post(url, wish)
    assert answer.status_code < 500, answer.get_json()


_MEMBERS: dict[int, Client] = {}


def _member(site: Site) -> Client:
    # Hypothesis runs many examples over one site.
    found = _MEMBERS.get(id(site))
    if found is None:
        object.__setattr__(site.acme.settings, "accounts_limit", 10_000)
        found = _MEMBERS[id(site)] = member(site)
    else:
        answer = found.post(found.kid)
        if answer.status_code != 200:
            found = _MEMBERS[id(site)] = member(site)
    return found


def _finite(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True
