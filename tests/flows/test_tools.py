# SPDX-License-Identifier: Apache-2.0
"""curl, openssl and ldapsearch agree with what we say."""

import base64
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.flows import invariants
from tests.flows.city import City, until
from tests.flows.load import Acknowledged, Surfer


@pytest.fixture(autouse=True, scope="module")
def _record_holds(city: City) -> Iterator[None]:
    yield
    invariants.check(city)


def _run(*command: str | Path, check: bool = True, env: dict[str, str] | None = None) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def card(city: City, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Certificate, issuer and list of a civil servant's card, as files."""
    whole = (city.folder / "demo" / "qian.jun.pem").read_text("utf-8")
    parts = whole.split("-----BEGIN CERTIFICATE-----")
    leaf, issuer = tmp_path / "leaf.pem", tmp_path / "issuer.pem"
    leaf.write_text("-----BEGIN CERTIFICATE-----" + parts[1])
    issuer.write_text((city.folder / "public" / "issuers" / "people.pem").read_text("utf-8"))
    crl = tmp_path / "people.pem.crl"
    der = tmp_path / "people.crl"
    der.write_bytes(city.http().get(city.url("pki", "/crl/people.crl", "plain")).content)
    crl.write_text(_run("openssl", "crl", "-inform", "DER", "-in", der))
    return leaf, issuer, crl


def test_curl_trusts_every_host_by_the_root_alone(city: City) -> None:
    for label in ("tax", "social", "sso", "verify", "log"):
        path = "/.well-known/openid-configuration" if label == "sso" else "/checkpoint" if label == "log" else "/"
        said = _run(
            "curl",
            "-sS",
            "--cacert",
            city.root,
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{ssl_verify_result}",
            city.url(label, path),
        )
        assert said == "200 0", (label, said)


def test_openssl_builds_the_chain_and_reads_the_list(city: City, card: tuple[Path, Path, Path]) -> None:
    leaf, issuer, crl = card
    chain = ("openssl", "verify", "-CAfile", city.root, "-untrusted", issuer)
    assert f"{leaf}: OK" in _run(*chain, leaf)
    assert f"{leaf}: OK" in _run(*chain, "-crl_check", "-CRLfile", crl, leaf)
    assert "Issuer" in _run("openssl", "crl", "-in", crl, "-noout", "-text")


def test_openssl_ocsp_follows_a_suspension(city: City, card: tuple[Path, Path, Path], tmp_path: Path) -> None:
    leaf, issuer, _ = card
    request, answer = tmp_path / "request", tmp_path / "answer"
    _run("openssl", "ocsp", "-issuer", issuer, "-cert", leaf, "-no_nonce", "-reqout", request)
    encoded = base64.b64encode(request.read_bytes()).decode()
    beforehand = city.folder / "run" / "ca" / "ocsp" / "people" / encoded

    def by_get() -> str:
        found = city.http().get(city.url("pki", f"/ocsp/people/{quote(encoded, safe='')}", "plain"))
        assert found.headers["Content-Type"] == "application/ocsp-response"
        assert "max-age=" in found.headers["Cache-Control"]
        answer.write_bytes(found.content)
        return _run("openssl", "ocsp", "-respin", answer, "-issuer", issuer, "-cert", leaf, "-CAfile", city.root)

    serial = _run("openssl", "x509", "-in", leaf, "-noout", "-serial").strip().split("=")[1].lower().lstrip("0")

    def status() -> str:
        return _run(
            "openssl",
            "ocsp",
            "-issuer",
            issuer,
            "-cert",
            leaf,
            "-CAfile",
            city.root,
            "-url",
            city.url("pki", "/ocsp/people", "plain"),
            check=False,
        )

    assert f"{leaf}: good" in status()
    assert f"{leaf}: good" in by_get()
    # The role made it once; from now on nginx gives it out by itself.
    assert beforehand.read_bytes() == answer.read_bytes()
    found = city.http().get(city.url("pki", f"/ocsp/people/{quote(encoded, safe='')}", "plain"))
    assert found.content == answer.read_bytes()
    assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', found.headers["ETag"])
    city.tallygate("ca", "--site", str(city.configuration), "suspend", serial)
    assert not beforehand.exists()
    assert f"{leaf}: revoked" in status()
    assert f"{leaf}: revoked" in by_get()

    def listed() -> str:
        der = city.http().get(city.url("pki", "/crl/people.crl", "plain")).content
        return _crl(der).decode()

    # While another process makes the next list, the one before is given out.
    until(lambda: serial.upper() in listed().replace(":", ""), seconds=20)
    assert "Certificate Hold" in listed()
    city.tallygate("ca", "--site", str(city.configuration), "release", serial)
    until(lambda: f"{leaf}: good" in status(), seconds=20)
    assert f"{leaf}: good" in by_get()


def test_ldapsearch_sees_what_each_service_may_see(city: City) -> None:
    socket = f"ldapi://{str(city.folder / 'run' / 'slapd' / 'ldapi').replace('/', '%2F')}"
    suffix = "dc=city,dc=example"
    base = f"ou=people,{suffix}"

    def search(role: str, *wanted: str) -> str:
        # slapd's services bind with the base64 text of their secret.
        secret = subprocess.run(
            ["base64", "-w0", str(city.folder / role / "ldap.secret")], capture_output=True, check=True
        ).stdout
        word = city.folder.with_suffix(".word")
        word.write_bytes(secret)
        try:
            return _run(
                "ldapsearch",
                "-x",
                "-LLL",
                "-o",
                "nettimeout=5",
                "-H",
                socket,
                "-D",
                f"cn={role},ou=services,{suffix}",
                "-y",
                word,
                "-b",
                base,
                "(uid=chen.wei)",
                *wanted,
                check=False,
            )
        finally:
            word.unlink()

    assert "uid: chen.wei" in search("sso", "uid")
    assert "userPassword" not in search("sso", "userPassword")
    assert "mail:" not in search("gateway", "mail")
    anonymous = _run("ldapsearch", "-x", "-LLL", "-H", socket, "-b", base, "(uid=chen.wei)", "uid", check=False)
    assert "chen.wei" not in anonymous


def test_outside_software_finds_certificates_and_lists_over_ldaps(city: City, tmp_path: Path) -> None:
    suffix, word = "dc=city,dc=example", tmp_path / "word"
    secret = (city.folder / "directory" / "lookup.secret").read_bytes()
    word.write_bytes(base64.b64encode(secret))

    def search(base: str, where: str, *wanted: str) -> str:
        given: tuple[str | Path, ...] = (
            "-D",
            f"cn=lookup,ou=services,{suffix}",
            "-y",
            word,
            "-b",
            f"{base}{suffix}",
            where,
            *wanted,
        )
        address = f"ldaps://127.0.0.1:{city.ports['ldaps']}"
        return _run("ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", address, *given, check=False, env=trusting)

    def values(attribute: str, base: str, where: str) -> list[bytes]:
        head = f"{attribute};binary:: "
        lines = search(base, where, f"{attribute};binary").splitlines()
        return [base64.b64decode(line.removeprefix(head)) for line in lines if line.startswith(head)]

    trusting = {"LDAPTLS_CACERT": str(city.root), "LDAPTLS_REQCERT": "demand", "PATH": os.environ["PATH"]}
    card = tmp_path / "card.pem"
    card.write_bytes((city.folder / "demo" / "qian.jun.pem").read_bytes())
    der = subprocess.run(["openssl", "x509", "-in", card, "-outform", "DER"], capture_output=True, check=True).stdout
    serial = _run("openssl", "x509", "-in", card, "-noout", "-serial").strip().split("=")[1].lower().lstrip("0")
    site = ("--site", str(city.configuration))
    name = "(cn=Qian Jun)"
    until(lambda: der in values("userCertificate", "ou=people,", name), seconds=60)
    city.tallygate("ca", *site, "suspend", serial)
    until(lambda: der not in values("userCertificate", "ou=people,", name), seconds=60)
    city.tallygate("ca", *site, "release", serial)
    until(lambda: der in values("userCertificate", "ou=people,", name), seconds=60)
    assert "qian.jun" not in search("", "(objectClass=*)", "*", "+")
    people = "(&(objectClass=pkiCA)(cn=people))"
    (found,) = values("certificateRevocationList", "ou=authorities,", people)
    assert b"X509v3 Freshest CRL" in _crl(found)
    (delta,) = values("deltaRevocationList", "ou=authorities,", people)
    assert b"Delta CRL Indicator" in _crl(delta)
    (issuer,) = values("cACertificate", "ou=authorities,", people)
    assert issuer == city.http().get(city.url("pki", "/ca/people.cer", "plain")).content


def _crl(der: bytes) -> bytes:
    shown = ["openssl", "crl", "-inform", "DER", "-noout", "-text"]
    return subprocess.run(shown, input=der, capture_output=True, check=True).stdout


def test_openssl_checks_a_stamp_of_the_city(city: City, tmp_path: Path) -> None:
    data, question, answer = tmp_path / "data", tmp_path / "question.tsq", tmp_path / "answer.tsr"
    data.write_text("was here")
    _run("openssl", "ts", "-query", "-data", data, "-sha384", "-cert", "-out", question)
    address = city.url("pki", "/tsa/city", "plain")
    assert f"{address}\n" in city.said()
    kind = {"Content-Type": "application/timestamp-query"}

    def stamped() -> bool:
        said = city.http().post(address, data=question.read_bytes(), headers=kind)
        answer.write_bytes(said.content)
        return said.status_code == 200 and b"no stamp can be given" not in said.content

    until(stamped, seconds=60)
    assert "Verification: OK" in _run("openssl", "ts", "-verify", "-data", data, "-in", answer, "-CAfile", city.root)
    data.write_text("was not here")
    said = _run("openssl", "ts", "-verify", "-data", data, "-in", answer, "-CAfile", city.root, check=False)
    assert "Verification: FAILED" in said


def test_the_directory_speaks_tls(city: City) -> None:
    said = subprocess.run(
        [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{city.ports['ldaps']}",
            "-CAfile",
            str(city.root),
            "-verify_return_error",
            "-verify_hostname",
            "ldap.city.localhost",
        ],
        input=b"",
        capture_output=True,
    )
    assert b"Verify return code: 0 (ok)" in said.stdout


def test_discovery_is_what_libraries_expect(city: City) -> None:
    issuer = city.url("sso", "")
    document = city.http().get(issuer.rstrip("/") + "/.well-known/openid-configuration").json()
    assert document["issuer"] == issuer.rstrip("/")
    assert document["code_challenge_methods_supported"] == ["S256"]
    keys = city.http().get(document["jwks_uri"]).json()["keys"]
    assert keys
    assert all("d" not in key for key in keys)


def test_a_rotated_key_signs_from_the_next_start_and_the_old_one_is_still_believed(city: City) -> None:
    def published() -> list[str]:
        answer = city.http().get(city.url("sso", "/jwks"), timeout=5)
        return [key["kid"] for key in answer.json()["keys"]] if answer.ok else []

    before = published()
    early = Surfer(city, "zhang.min", Acknowledged())
    assert "Zhang Min" in early.enter(city.url("tax", "/me")).text
    said = city.tallygate("sso", "rotate-keys", "--site", str(city.configuration)).stdout
    assert said.startswith(f"{len(before) + 1} keys are published")
    city.kill("sso", signal.SIGTERM)
    until(lambda: city.ready() and published()[1:] == before, seconds=60)
    assert "Zhang Min" in early.get(city.url("tax", "/me")).text
    late = Surfer(city, "chen.wei", Acknowledged())
    assert "Chen Wei" in late.enter(city.url("tax", "/me")).text
    assert "Chen Wei" in late.enter(city.url("social", "/me")).text
