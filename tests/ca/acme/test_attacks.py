# SPDX-License-Identifier: Apache-2.0
"""What a stranger, or a client that is not who it says, tries at the endpoints."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ca.acme import Acme, Window
from ca.acme.renewal import identifier_of
from ca.models import Reason
from tests.ca.acme.client import (
    ERROR,
    HOST,
    ORIGIN,
    Client,
    b64,
    bind,
    general,
    grant,
    jwk,
    member,
    refused,
    request_for,
    sign,
)
from tests.ca.acme.conftest import Files
from tests.ca.acme.test_flow import issued, prove
from tests.ca.sites import Site, open_acme
from tests.ca.world import World
from tests.fakes.people import KIOSK


def test_a_nonce_counts_once_even_after_a_restart(site: Site) -> None:
    client = member(site)
    nonce = client.fresh()
    assert client.post(client.kid, nonce=nonce).status_code == 200
    answer = client.post(client.kid, nonce=nonce)
    refused(answer, "badNonce", 400)
    # The refusal brings a fresh one, which is taken.
    assert client.post(client.kid, nonce=answer.headers["Replay-Nonce"]).status_code == 200
    other: Acme = open_acme(site.world, site.authority)
    assert not other._store.marks.use(nonce, until=site.world.clock.now())
    site.world.clock.advance(timedelta(hours=1, seconds=1))
    site.acme.validation.clean()
    refused(client.post(client.kid, nonce=nonce), "badNonce", 400)


def test_a_nonce_of_ones_own_making_is_refused(site: Site) -> None:
    client = member(site)
    for nonce in ("x", "AAAA", "A" * 54, "!", "a" * 2000, ""):
        answer = client.post(client.kid, nonce=nonce)
        assert answer.get_json()["type"] in (f"{ERROR}badNonce", f"{ERROR}malformed"), nonce


def test_a_request_for_another_address_is_refused(site: Site) -> None:
    client = member(site)
    order = client.order(HOST).headers["Location"]
    for url in (f"{ORIGIN}/acme/new-order", order.replace("8443", "8444"), order + "/", order.upper(), "", None):
        answer = client.post(order, url=url)
        assert answer.status_code in (400, 403)
        assert answer.get_json()["type"] in (f"{ERROR}unauthorized", f"{ERROR}malformed")


def test_a_request_names_its_key_in_one_way(site: Site) -> None:
    client = member(site)
    refused(client.post(client.kid, jwk=jwk(client.key)), "malformed", 400)
    refused(client.post(client.kid, kid=None), "malformed", 400)
    refused(client.post(client.kid, kid=None, jwk=jwk(client.key)), "malformed", 400)
    refused(client.post("/new-account", {"onlyReturnExisting": True}), "malformed", 400)
    refused(client.post(client.kid, kid=f"{ORIGIN}/acme/account/{'0' * 24}"), "accountDoesNotExist", 400)
    refused(client.post(client.kid, kid=client.kid.replace("acme.city", "acme.evil")), "accountDoesNotExist", 400)
    stranger = Client(site)
    stranger.kid = client.kid
    refused(stranger.post(client.kid), "malformed", 400)


def test_other_algorithms_are_refused(site: Site) -> None:
    client = member(site)
    for alg in ("none", "HS256", "ES512", "RS512", "PS256", "es256", None, 7, ["ES256"]):
        found = refused(client.post(client.kid, alg=alg), "badSignatureAlgorithm", 400)
        assert found["algorithms"] == ["ES256", "ES384", "RS256", "EdDSA"], alg


def test_a_key_signs_by_its_own_algorithm_alone(site: Site) -> None:
    client = member(site)
    refused(client.post(client.kid, alg="ES384"), "malformed", 400)
    refused(client.post(client.kid, alg="RS256"), "malformed", 400)


def test_unknown_members_are_refused(site: Site) -> None:
    client = member(site)
    for member_, value in (("crit", ["b64"]), ("b64", False), ("x5c", []), ("jku", "https://evil.example/")):
        refused(client.post(client.kid, **{member_: value}), "malformed", 400)
    url = client.kid
    good = sign(client.key, client.header(url), b"")
    for spoilt in (
        {**good, "header": {"alg": "none"}},
        {**good, "signatures": []},
        {**good, "signature": good["signature"] + "="},
        {**good, "signature": b64(b"\0" * 64)},
        {**good, "payload": b64(b"{}")},
        {name: value for name, value in good.items() if name != "payload"},
        [good],
        "good",
    ):
        refused(client.send(url, spoilt), "malformed", 400)
    refused(client.send(url, good, content_type="application/json"), "malformed", 415)
    # None of these used the nonce up.
    assert client.send(url, good).status_code == 200


def test_what_belongs_to_others_is_not_there(site: Site, files: Files) -> None:
    mine, other = member(site), member(site)
    order = mine.order(HOST)
    authorization = order.get_json()["authorizations"][0]
    challenge = mine.post(authorization).get_json()["challenges"][0]["url"]
    for address in (order.headers["Location"], authorization, challenge):
        refused(other.post(address), "malformed", 404)
    refused(other.post(challenge, {}), "malformed", 404)
    refused(other.post(authorization, {"status": "deactivated"}), "malformed", 404)
    refused(other.post(mine.kid), "unauthorized", 403)
    refused(other.post(mine.kid, {"status": "deactivated"}), "unauthorized", 403)
    refused(other.post(f"{mine.kid}/orders"), "unauthorized", 403)
    prove(site, mine, order, files)
    csr = {"csr": b64(request_for(HOST))}
    refused(other.post(order.get_json()["finalize"], csr), "malformed", 404)
    done = mine.post(order.get_json()["finalize"], csr).get_json()
    refused(other.post(done["certificate"]), "malformed", 404)
    leaf = x509.load_pem_x509_certificates(mine.post(done["certificate"]).data)[0]
    wish = {"certificate": b64(leaf.public_bytes(Encoding.DER))}
    refused(other.post("/revoke-cert", wish), "unauthorized", 403)
    refused(Client(site).post("/revoke-cert", wish), "unauthorized", 403)
    refused(other.order(HOST, replaces=identifier_of(leaf)), "unauthorized", 403)


def test_a_binding_is_for_one_key_one_address_and_one_time(site: Site) -> None:
    kid, secret = grant(site)
    client, thief = Client(site), Client(site)
    object.__setattr__(site.acme.settings, "accounts_limit", 100)
    url = f"{ORIGIN}/acme/new-account"

    def with_binding(who: Client, binding: Any) -> Any:
        return who.post("/new-account", {"externalAccountBinding": binding})

    refused(Client(site).post("/new-account", {}), "externalAccountRequired", 403)
    # Overheard, it binds nobody else's key.
    refused(with_binding(thief, bind(kid, secret, client.key, url=url)), "malformed", 400)
    refused(with_binding(client, bind(kid, secret, client.key, url=f"{ORIGIN}/acme/new-order")), "malformed", 400)
    refused(with_binding(client, bind(kid, b64(b"x" * 32), client.key, url=url)), "unauthorized", 403)
    refused(with_binding(client, bind("0" * 24, secret, client.key, url=url)), "unauthorized", 403)
    wrong: list[Any] = [None, {}, [], "x", 7, {"protected": "", "payload": "", "signature": ""}]
    for nonsense in wrong:
        refused(with_binding(client, nonsense), "malformed", 400)
    none = {**bind(kid, secret, client.key, url=url), "protected": b64(json.dumps({"alg": "none"}).encode())}
    refused(with_binding(client, none), "badSignatureAlgorithm", 400)
    site.world.directory.devices[KIOSK.id] = replace(KIOSK, enabled=False)
    refused(client.bound(kid, secret), "unauthorized", 403)
    site.world.directory.devices[KIOSK.id] = KIOSK
    assert client.bound(kid, secret).status_code == 201
    refused(thief.bound(kid, secret), "unauthorized", 403)
    late, secret = grant(site)
    site.world.clock.advance(timedelta(days=8))
    refused(Client(site).bound(late, secret), "unauthorized", 403)


def test_accounts_of_one_address_are_counted(world: World, site: Site) -> None:
    for _ in range(10):
        refused(Client(site).bound("0" * 24, "AAAA"), "unauthorized", 403)
    answer = Client(site).bound(*grant(site))
    refused(answer, "rateLimited", 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 3 * 3600 + 1
    world.clock.advance(timedelta(hours=3, seconds=2))
    assert Client(site).bound(*grant(site)).status_code == 201


def test_orders_of_one_account_are_counted(site: Site) -> None:
    client = member(site)
    object.__setattr__(site.acme.settings, "orders_limit", 2)
    for _ in range(2):
        assert client.order(HOST).status_code == 201
    answer = client.order(HOST)
    refused(answer, "rateLimited", 429)
    assert int(answer.headers["Retry-After"]) > 3000
    object.__setattr__(site.acme.settings, "pending_limit", 1)
    refused(client.order(f"a.{HOST}"), "rateLimited", 429)


def test_only_granted_names_are_ordered(site: Site) -> None:
    client = member(site, HOST)
    for other in (f"a.{HOST}", "city.localhost", f"*.{HOST}", "evil.example"):
        refused(client.order(other), "rejectedIdentifier", 400)
    found = refused(client.order(HOST, "evil.example", "b.example"), "rejectedIdentifier", 400)
    assert [each["identifier"]["value"] for each in found["subproblems"]] == ["evil.example", "b.example"]
    # What an officer grants beyond the site's own domain is still not certified.
    outside = member(site, "evil.example")
    assert outside.order("evil.example").status_code == 201


NO_NAMES = (
    "", ".", "-a.city.localhost", "a..city.localhost", "xn--a.city.localhost", "münchen.city.localhost",
    "a_b.city.localhost", "a." * 130 + "localhost", "*.*.city.localhost", "a.*.city.localhost", "127.0.0.1",
)  # fmt: skip


def test_what_is_no_name_is_refused(site: Site) -> None:
    client = member(site, ".city.localhost")
    for value in NO_NAMES:
        wish = {"identifiers": [{"type": "dns", "value": value}]}
        refused(client.post("/new-order", wish), "rejectedIdentifier", 400)


def test_names_are_compared_in_one_spelling(site: Site) -> None:
    client = member(site)
    answer = client.order(HOST.upper(), HOST)
    assert answer.get_json()["identifiers"] == [{"type": "dns", "value": HOST}]


MALFORMED: tuple[dict[str, Any], ...] = (
    {}, {"identifiers": []}, {"identifiers": "x"}, {"identifiers": [{}]}, {"identifiers": [{"type": "dns"}]},
    {"identifiers": [{"type": 1, "value": 2}]}, {"identifiers": [None]},
    {"identifiers": [{"type": "dns", "value": HOST, "more": 1}]},
    {"identifiers": [{"type": "dns", "value": HOST}], "notAfter": "2026-12-01T00:00:00Z"},
    {"identifiers": [{"type": "dns", "value": HOST}], "replaces": 7},
    {"identifiers": [{"type": "dns", "value": HOST}], "replaces": "AAAA.AQ=="},
)  # fmt: skip


def test_malformed_orders_are_refused(site: Site) -> None:
    client = member(site)
    for wish in MALFORMED:
        refused(client.post("/new-order", wish), "malformed", 400)


def test_a_request_holds_exactly_the_order(site: Site, files: Files) -> None:
    client = member(site)
    order = client.order(HOST)
    refused(client.post(order.get_json()["finalize"], {"csr": b64(request_for(HOST))}), "orderNotReady", 403)
    prove(site, client, order, files)
    key = ec.generate_private_key(ec.SECP256R1())
    mail = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    names = [general(HOST), x509.RFC822Name("a@city.example")]
    mail = mail.add_extension(x509.SubjectAlternativeName(names), critical=False)
    authority = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    authority = authority.add_extension(x509.SubjectAlternativeName([general(HOST)]), critical=False)
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    good = request_for(HOST)
    for csr in (
        request_for(HOST, f"a.{HOST}"),
        request_for(f"a.{HOST}"),
        request_for(),
        request_for(HOST, common="evil.example"),
        request_for(HOST, common="a person"),
        request_for(HOST, f"*.{HOST}"),
        request_for(HOST, "127.0.0.1"),
        request_for(HOST, key=client.key),
        request_for(HOST, key=ec.generate_private_key(ec.SECP256K1())),
        mail.sign(key, hashes.SHA256()).public_bytes(Encoding.DER),
        authority.sign(key, hashes.SHA256()).public_bytes(Encoding.DER),
        good[:-1] + bytes([good[-1] ^ 1]),
        good + b"\0",
        b"",
        b"\x30\x00",
        b"-----BEGIN CERTIFICATE REQUEST-----\n",
    ):
        refused(client.post(order.get_json()["finalize"], {"csr": b64(csr)}), "badCSR", 400)
    # The order is as ready as before.
    done = client.post(order.get_json()["finalize"], {"csr": b64(request_for(HOST.upper(), common=HOST))})
    assert done.get_json()["status"] == "valid"
    refused(client.post(order.get_json()["finalize"], {"csr": b64(good)}), "orderNotReady", 403)


def test_a_disabled_device_gets_nothing_more(site: Site, files: Files) -> None:
    client = member(site)
    order = client.order(HOST)
    prove(site, client, order, files)
    site.world.directory.devices[KIOSK.id] = replace(KIOSK, enabled=False)
    lost = client.post(order.get_json()["finalize"], {"csr": b64(request_for(HOST))}).get_json()
    assert (lost["status"], lost["error"]["type"]) == ("invalid", f"{ERROR}unauthorized")
    assert site.world.reported()[-1] == "ca.certificate.refused"


def test_revocation_has_its_rules(site: Site, files: Files) -> None:
    client = member(site)
    leaf, _ = issued(site, client, files, HOST)
    der = leaf.public_bytes(Encoding.DER)
    for reason in (2, 6, 8, 9, 10, -1, "1", 1.0, True, None):
        refused(client.post("/revoke-cert", {"certificate": b64(der), "reason": reason}), "badRevocationReason", 400)
    changed = der[:-1] + bytes([der[-1] ^ 1])
    refused(client.post("/revoke-cert", {"certificate": b64(changed)}), "malformed", 404)
    for nonsense in (b"", b"x", der + b"\0"):
        assert client.post("/revoke-cert", {"certificate": b64(nonsense)}).status_code in (400, 404)
    refused(client.post("/revoke-cert", {}), "malformed", 400)


def test_renewal_is_told_and_followed(site: Site, files: Files) -> None:
    client = member(site)
    leaf, where = issued(site, client, files, HOST)
    name = identifier_of(leaf)

    def asked() -> Any:
        answer = site.client().get(f"/acme/renewal-info/{name}", base_url=ORIGIN)
        assert answer.headers["Retry-After"] == "21600"
        return answer.get_json()

    start = asked()["suggestedWindow"]["start"]
    third = leaf.not_valid_after_utc - (leaf.not_valid_after_utc - leaf.not_valid_before_utc) / 3
    assert third.isoformat() <= start < leaf.not_valid_after_utc.isoformat()
    now = site.world.clock.now()
    window = Window(start=now - timedelta(hours=2), end=now, explanation="https://city.example/incident")
    site.acme.renewal.ask_for([where.rsplit("/", 1)[1]], window)
    assert asked()["explanationURL"] == "https://city.example/incident"
    assert asked()["suggestedWindow"]["end"] == now.isoformat()
    order = client.order(HOST, replaces=name)
    assert order.get_json()["replaces"] == name
    refused(client.order(HOST, replaces=name), "alreadyReplaced", 409)
    refused(client.order(f"a.{HOST}", replaces=name), "malformed", 400)
    for other in ("x", "AAAA", "AAAA.AQ", f"{name}=", name.replace(".", ".AA"), "." * 3):
        answer = site.client().get(f"/acme/renewal-info/{other}", base_url=ORIGIN)
        assert answer.status_code in (400, 404), other
        assert answer.get_json()["type"] == f"{ERROR}malformed"
    site.authority.revoke(where.rsplit("/", 1)[1], reason=Reason.SUPERSEDED, actor="x")
    second, where = issued(site, client, files, HOST)
    site.authority.revoke(where.rsplit("/", 1)[1], reason=Reason.SUPERSEDED, actor="x")
    answer = site.client().get(f"/acme/renewal-info/{identifier_of(second)}", base_url=ORIGIN).get_json()
    assert answer["suggestedWindow"]["end"] < now.isoformat()


def test_orders_and_authorizations_end_by_themselves(site: Site) -> None:
    client = member(site)
    order = client.order(HOST)
    site.world.clock.advance(timedelta(days=8))
    client.nonce = ""
    assert client.post(order.headers["Location"]).get_json()["status"] == "invalid"
    authorization = client.post(order.get_json()["authorizations"][0]).get_json()
    assert authorization["status"] == "invalid"
    # What is over is not looked at.
    client.post(authorization["challenges"][0]["url"], {})
    site.acme.validation.work()
    assert client.post(order.get_json()["authorizations"][0]).get_json()["status"] == "invalid"


def test_without_its_record_nothing_is_given(site: Site, files: Files) -> None:
    kid, secret = grant(site)
    client = Client(site)
    site.world.recorder.down = True
    answer = client.bound(kid, secret)
    refused(answer, "serverInternal", 503)
    assert answer.headers["Retry-After"]
    site.world.recorder.down = False
    assert client.bound(kid, secret).status_code == 201
    order = client.order(HOST)
    prove(site, client, order, files)
    site.world.recorder.down = True
    waits = client.post(order.get_json()["finalize"], {"csr": b64(request_for(HOST))})
    assert waits.get_json()["status"] == "processing"
    assert waits.headers["Retry-After"]
    site.world.recorder.down = False
    site.acme.validation.work()
    assert client.post(order.headers["Location"]).get_json()["status"] == "processing"
    site.world.clock.advance(timedelta(seconds=3))
    site.acme.validation.work()
    assert client.post(order.headers["Location"]).get_json()["status"] == "valid"
