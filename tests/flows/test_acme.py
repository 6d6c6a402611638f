# SPDX-License-Identifier: Apache-2.0
"""A machine of the city gets a certificate: an officer grants it at the desk, certbot does the rest through nginx."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tests.flows import invariants
from tests.flows.city import ROOT, City, until
from tests.flows.load import Acknowledged, Surfer
from tests.flows.people import subject_of

HOST = "kiosk.city.localhost"
PORT = 5002
"""Where the sample city looks for http-01."""


def _certbot(city: City, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    folders = ["--config-dir", str(home / "c"), "--work-dir", str(home / "w"), "--logs-dir", str(home / "l")]
    return subprocess.run(
        [str(ROOT / ".venv-certbot" / "bin" / "certbot"), *arguments, *folders, "--non-interactive",
         "--server", city.url("acme", "/acme/directory")],
        env={**os.environ, "REQUESTS_CA_BUNDLE": str(city.root)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def _shown(page: str, name: str) -> str:
    found = re.search(rf'<code id="{name}">([^<]+)</code>', page)
    assert found is not None, page
    return found.group(1)


def _renewed_by_an_incident(city: City, desk: Surfer, home: Path, device: str) -> x509.Certificate:
    """The operator previews and proposes, an officer agrees, and certbot renews because it is told to."""
    command = ["ca", "--site", str(city.configuration), "incident", "renew", "--holder", device,
               "--profile", "device-server", "--explain", "A key leaked."]  # fmt: skip
    digest = city.tallygate(*command).stdout.partition("\ndigest ")[2].split()[0]
    incident = city.tallygate(*command, "--execute", digest).stdout.split()[0]
    path = f"/incidents/{incident}"
    page = desk.get(city.url("ca", path, "management"))
    assert desk.send(page, f"{path}/approve", {"digest": digest}).status_code == 200
    until(lambda: "Carried out" in desk.get(city.url("ca", path, "management")).text)
    notice = city.http().get(city.url("acme", f"/notices/{incident}"), timeout=20)
    assert "A key leaked." in notice.text
    # It asks for the first time: once told when to ask again (Retry-After), it would wait so long.
    renew = ("renew", "--no-random-sleep-on-renew", "--http-01-port", str(PORT), "--http-01-address", "127.0.0.1")
    done = _certbot(city, home, *renew)
    assert "all renewals succeeded" in done.stdout, done.stdout + done.stderr
    return x509.load_pem_x509_certificate((home / "c" / "live" / HOST / "cert.pem").read_bytes())


@pytest.mark.timeout(900)
def test_a_machine_certifies_itself_by_an_officers_grant(city: City, tmp_path: Path) -> None:
    device = subject_of(city, "device")
    desk = Surfer(city, "sun.li", Acknowledged(), card=True)
    page = desk.enter(city.url("ca", "/grants", "management"))
    made = desk.send(page, "/grants", {"holder": "device", "subject": device, "names": HOST})
    assert made.status_code == 200
    kid, key = _shown(made.text, "kid"), _shown(made.text, "key")
    # Nobody sees the key again.
    again = desk.get(city.url("ca", "/grants", "management")).text
    assert kid in again
    assert key not in again

    account = ["--agree-tos", "--register-unsafely-without-email", "--eab-kid", kid, "--eab-hmac-key", key]
    standalone = ["--standalone", "--http-01-port", str(PORT), "--http-01-address", "127.0.0.1"]
    done = _certbot(city, tmp_path, "certonly", *standalone, *account, "-d", HOST)
    assert done.returncode == 0, done.stdout + done.stderr
    leaf = x509.load_pem_x509_certificate((tmp_path / "c" / "live" / HOST / "cert.pem").read_bytes())
    serial = format(leaf.serial_number, "x")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:uuid:{device}"]

    # A name that nobody granted is refused, whoever asks.
    assert _certbot(city, tmp_path, "certonly", *standalone, "-d", "tax.city.localhost").returncode != 0

    renewed = _renewed_by_an_incident(city, desk, tmp_path, device)
    assert renewed.serial_number != leaf.serial_number

    page = desk.get(city.url("ca", "/grants", "management"))
    assert desk.send(page, f"/grants/{kid}/withdraw", {}).status_code == 200
    lost = _certbot(city, tmp_path, "revoke", "--cert-name", HOST, "--no-delete-after-revoke")
    assert lost.returncode != 0

    def told() -> list[str]:
        entries = [entry["told"] for entry in invariants.entries(city)]
        mine = [each for each in entries if each.get("object") in (kid, serial) or each["type"].startswith("ca.acme.")]
        return [each["type"] for each in mine]

    until(lambda: "ca.acme.grant.withdrawn" in told())
    assert [each for each in told() if each != "ca.acme.authorization.failed"] == [
        "ca.acme.grant.made", "ca.acme.grant.made",
        "ca.acme.account.created", "ca.acme.account.created",
        "ca.acme.authorization.proved",
        "ca.certificate.intended", "ca.certificate.issued", "ca.acme.order.finalized",
        "ca.acme.order.finalized",
        "ca.acme.grant.withdrawn",
    ]  # fmt: skip
