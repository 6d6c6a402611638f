# SPDX-License-Identifier: Apache-2.0
"""From a grant to a certificate and back, as RFC 8555 tells it."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ca.acme import Holder
from ca.models import Standing
from tests.ca.acme.client import (
    ERROR,
    HOST,
    ORIGIN,
    Client,
    Key,
    algorithm,
    b64,
    grant,
    jwk,
    member,
    refused,
    request_for,
    sign,
    thumbprint,
)
from tests.ca.acme.conftest import Files
from tests.ca.sites import Site
from tests.fakes.name_server import NameServer
from tests.fakes.people import COMPANY, KIOSK


def _challenge(client: Client, authorization: str, method: str) -> dict[str, Any]:
    found: dict[str, Any] = client.post(authorization).get_json()
    return next(each for each in found["challenges"] if each["type"] == method)


def prove(site: Site, client: Client, order: Any, files: Files) -> None:
    """Show control of every name by http-01."""
    for authorization in order.get_json()["authorizations"]:
        challenge = _challenge(client, authorization, "http-01")
        if challenge["status"] == "valid":
            continue
        content = f"{challenge['token']}.{thumbprint(client.key)}"
        files.put(f"/.well-known/acme-challenge/{challenge['token']}", content.encode())
        answer = client.post(challenge["url"], {})
        assert answer.get_json()["status"] == "processing"
        assert answer.headers["Retry-After"]
        assert f'<{authorization}>;rel="up"' in answer.headers.getlist("Link")
    site.acme.validation.work()


def issued(site: Site, client: Client, files: Files, *names: str, **more: Any) -> tuple[x509.Certificate, str]:
    """A certificate and its address."""
    order = client.order(*names, **more)
    assert order.status_code == 201, order.get_json()
    prove(site, client, order, files)
    done = client.post(order.get_json()["finalize"], {"csr": b64(request_for(*names))})
    assert done.get_json()["status"] == "valid", done.get_json()
    where = done.get_json()["certificate"]
    pem = client.post(where).data
    return x509.load_pem_x509_certificates(pem)[0], where


def test_the_directory_says_where_everything_is(site: Site) -> None:
    answer = site.client().get("/acme/directory", base_url=ORIGIN)
    found = answer.get_json()
    assert set(found) == {
        "newNonce", "newAccount", "newOrder", "newAuthz", "revokeCert", "keyChange", "renewalInfo", "meta",
    }  # fmt: skip
    assert found["meta"]["externalAccountRequired"] is True
    assert list(found["meta"]["profiles"]) == ["device-server", "organisation-server"]
    # Under another name of the role there is no ACME.
    assert site.client().get("/acme/directory", base_url="https://pki.city.localhost").status_code == 404
    nonce = site.client().get("/acme/new-nonce", base_url=ORIGIN)
    assert nonce.status_code == 204
    assert nonce.headers["Replay-Nonce"]
    assert nonce.headers["Cache-Control"] == "no-store"
    assert f'<{ORIGIN}/acme/directory>;rel="index"' in nonce.headers.getlist("Link")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["ES256", "ES384", "EdDSA", "RS256"],
)
def test_an_account_is_bound_once(site: Site, make: Callable[[], Key]) -> None:
    key = make()
    kid, secret = grant(site)
    client = Client(site, key)
    answer = client.bound(kid, secret, contact=["mailto:kiosk@city.example"])
    assert answer.status_code == 201
    assert answer.get_json()["contact"] == ["mailto:kiosk@city.example"]
    again = Client(site, key).post("/new-account", {"onlyReturnExisting": True})
    assert (again.status_code, again.headers["Location"]) == (200, client.kid)
    refused(Client(site).bound(kid, secret), "unauthorized", 403)
    kinds = [each.type for each in site.world.recorder.events][-3:]
    assert kinds[-1] == "ca.acme.account.created"
    assert "ca.acme.account.created" in site.world.reported()


def test_a_device_gets_a_certificate(site: Site, files: Files) -> None:
    client = member(site)
    certificate, where = issued(site, client, files, HOST, f"a.{HOST}")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [HOST, f"a.{HOST}"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:uuid:{KIOSK.id}"]
    # Asked for at the name's own web server.
    assert all(each.startswith((f"{HOST}:", f"a.{HOST}:")) for each in files.asked)
    serial = where.rsplit("/", 1)[1]
    found = site.authority.certificate(serial)
    assert (found.subject, found.actor, found.profile) == (KIOSK.id, "role:acme", "device-server")
    kinds = site.world.reported()
    assert kinds.count("ca.acme.authorization.proved") == 2
    assert kinds[-2:] == ["ca.certificate.issued", "ca.acme.order.finalized"]
    intent = next(
        each for each in site.world.recorder.events if each.type == "ca.certificate.intended" and each.object == serial
    )
    assert intent.attributes["caller"] == f"acme:{client.kid.rsplit('/', 1)[1]}"
    assert intent.policy


def test_an_organisation_gets_a_certificate(site: Site, files: Files) -> None:
    client = member(site, holder=Holder.ORGANISATION)
    certificate, _ = issued(site, client, files, HOST)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier)[0].endswith(f":organisation:{COMPANY.id}")


def test_profiles_are_chosen_by_name(site: Site) -> None:
    client = member(site)
    assert client.order(HOST, profile="device-server").get_json()["profile"] == "device-server"
    for other in ("organisation-server", "server", "citizen", "", 7):
        refused(client.order(HOST, profile=other), "invalidProfile", 400)


def test_orders_are_listed_in_pages(site: Site) -> None:
    client = member(site)
    made = [client.order(HOST).headers["Location"] for _ in range(52)]
    page = client.post(f"{client.kid}/orders")
    first = page.get_json()["orders"]
    after = next(each for each in page.headers.getlist("Link") if 'rel="next"' in each)
    second = client.post(after[1:].split(">")[0])
    assert first + second.get_json()["orders"] == made[::-1]
    assert not any('rel="next"' in each for each in second.headers.getlist("Link"))


def test_what_was_shown_before_needs_no_second_showing(site: Site, files: Files) -> None:
    client = member(site)
    early = client.post("/new-authz", {"identifier": {"type": "dns", "value": HOST}})
    assert early.status_code == 201
    challenge = next(each for each in early.get_json()["challenges"] if each["type"] == "http-01")
    content = f"{challenge['token']}.{thumbprint(client.key)}".encode()
    files.put(f"/.well-known/acme-challenge/{challenge['token']}", content)
    client.post(challenge["url"], {})
    site.acme.validation.work()
    order = client.order(HOST)
    assert order.get_json()["status"] == "ready"
    assert order.get_json()["authorizations"] == [early.headers["Location"]]
    refused(client.post("/new-authz", {"identifier": {"type": "dns", "value": f"*.{HOST}"}}), "malformed", 400)


def test_a_wildcard_is_shown_by_dns_alone(site: Site, names: NameServer) -> None:
    client = member(site)
    order = client.order(f"*.{HOST}")
    authorization = client.post(order.get_json()["authorizations"][0]).get_json()
    assert authorization["wildcard"] is True
    assert authorization["identifier"]["value"] == HOST
    assert [each["type"] for each in authorization["challenges"]] == ["dns-01"]
    (challenge,) = authorization["challenges"]
    digest = hashlib.sha256(f"{challenge['token']}.{thumbprint(client.key)}".encode()).digest()
    names.put(f"_acme-challenge.{HOST}", "TXT", ['"something else"', f'"{b64(digest)}"'])
    client.post(challenge["url"], {})
    site.acme.validation.work()
    done = client.post(order.get_json()["finalize"], {"csr": b64(request_for(f"*.{HOST}"))})
    assert done.get_json()["status"] == "valid", done.get_json()
    # A shown wildcard shows nothing about the name itself.
    assert client.order(HOST).get_json()["status"] == "pending"


def test_an_address_is_certified_where_the_site_validates(site: Site, files: Files) -> None:
    client = member(site, "127.0.0.0/8")
    order = client.order("127.0.0.1")
    authorization = client.post(order.get_json()["authorizations"][0]).get_json()
    assert [each["type"] for each in authorization["challenges"]] == ["http-01", "tls-alpn-01"]
    certificate, _ = issued(site, client, files, "127.0.0.1")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    refused(client.order("127.000.0.1"), "rejectedIdentifier", 400)
    refused(client.order("10.0.0.1"), "rejectedIdentifier", 400)


def test_a_holder_revokes_by_account_or_by_key(site: Site, files: Files) -> None:
    client = member(site)
    by_account, where = issued(site, client, files, HOST)
    wish = {"certificate": b64(by_account.public_bytes(Encoding.DER)), "reason": 4}
    assert client.post("/revoke-cert", wish).status_code == 200
    assert site.authority.status(where.rsplit("/", 1)[1]).standing is Standing.REVOKED
    refused(client.post("/revoke-cert", wish), "alreadyRevoked", 400)
    key = ec.generate_private_key(ec.SECP256R1())
    order = client.order(HOST)
    done = client.post(order.get_json()["finalize"], {"csr": b64(request_for(HOST, key=key))}).get_json()
    leaf = x509.load_pem_x509_certificates(client.post(done["certificate"]).data)[0]
    answer = Client(site, key).post("/revoke-cert", {"certificate": b64(leaf.public_bytes(Encoding.DER)), "reason": 1})
    assert answer.status_code == 200
    # A compromised key is never certified again.
    order = client.order(HOST)
    lost = client.post(order.get_json()["finalize"], {"csr": b64(request_for(HOST, key=key))}).get_json()
    assert (lost["status"], lost["error"]["type"]) == ("invalid", f"{ERROR}badCSR")


def test_whoever_controls_all_names_revokes(site: Site, files: Files) -> None:
    first, second = member(site), member(site)
    leaf, _ = issued(site, first, files, HOST)
    wish = {"certificate": b64(leaf.public_bytes(Encoding.DER))}
    refused(second.post("/revoke-cert", wish), "unauthorized", 403)
    prove(site, second, second.order(HOST), files)
    assert second.post("/revoke-cert", wish).status_code == 200


def test_a_key_is_changed(site: Site) -> None:
    client, new = member(site), ec.generate_private_key(ec.SECP384R1())

    def change(key: Key, **changed: Any) -> Any:
        url = f"{ORIGIN}/acme/key-change"
        said = {"account": client.kid, "oldKey": jwk(client.key), **changed}
        header = {"alg": algorithm(key), "jwk": jwk(key), "url": changed.pop("url", url)}
        return client.post(url, sign(key, header, json.dumps(said).encode()))

    refused(change(new, account=f"{ORIGIN}/acme/account/other"), "malformed", 400)
    refused(change(new, oldKey=jwk(new)), "malformed", 400)
    refused(change(new, url=f"{ORIGIN}/acme/new-order"), "malformed", 400)
    taken = member(site)
    conflict = change(taken.key)
    refused(conflict, "malformed", 409)
    assert conflict.headers["Location"] == taken.kid
    assert change(new).status_code == 200
    refused(client.post(client.kid), "malformed", 400)
    client.key = new
    assert client.post(client.kid).status_code == 200


def test_accounts_and_authorizations_are_given_up(site: Site, files: Files) -> None:
    client = member(site)
    order = client.order(HOST, f"a.{HOST}")
    first, second = order.get_json()["authorizations"]
    assert client.post(first, {"status": "deactivated"}).get_json()["status"] == "deactivated"
    assert client.post(order.headers["Location"]).get_json()["status"] == "invalid"
    assert client.post(second).get_json()["status"] == "pending"
    assert client.post(client.kid, {"contact": ["mailto:new@city.example"]}).get_json()["contact"]
    assert client.post(client.kid, {"status": "deactivated"}).get_json()["status"] == "deactivated"
    refused(client.post(second), "unauthorized", 403)
    refused(Client(site, client.key).post("/new-account", {"onlyReturnExisting": True}), "unauthorized", 403)


def test_a_withdrawn_grant_ends_its_account(site: Site, files: Files) -> None:
    kid, secret = grant(site)
    client = Client(site)
    client.bound(kid, secret)
    site.acme.grants.withdraw(kid, officer="x")
    refused(client.order(HOST), "unauthorized", 403)
    assert site.world.reported()[-1] == "ca.acme.grant.withdrawn"


def test_chains_have_alternates_where_somebody_else_vouches_too(site: Site, files: Files) -> None:
    client = member(site)
    _, where = issued(site, client, files, HOST)
    assert not any("alternate" in each for each in client.post(where).headers.getlist("Link"))
    root = x509.load_pem_x509_certificate((site.world.site.public / "root.pem").read_bytes())
    key, name = ec.generate_private_key(ec.SECP384R1()), x509.Name.from_rfc4514_string("CN=Older root")
    cross = (
        x509.CertificateBuilder()
        .subject_name(root.subject)
        .issuer_name(name)
        .public_key(root.public_key())
        .serial_number(7)
        .not_valid_before(root.not_valid_before_utc)
        .not_valid_after(root.not_valid_before_utc + dt.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA384())
    )
    (site.world.site.public / "cross.pem").write_bytes(cross.public_bytes(Encoding.PEM))
    answer = client.post(where)
    assert len(x509.load_pem_x509_certificates(answer.data)) == 2
    assert f'<{where}/1>;rel="alternate"' in answer.headers.getlist("Link")
    other = client.post(f"{where}/1")
    assert x509.load_pem_x509_certificates(other.data)[2] == cross
    assert f'<{where}>;rel="alternate"' in other.headers.getlist("Link")
    refused(client.post(f"{where}/2"), "malformed", 404)
