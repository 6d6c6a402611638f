# SPDX-License-Identifier: Apache-2.0
"""A site's root is given to custodians before any role runs, and they bring back its revocation list while all do."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.ports import free_ports
from app.up import write_configuration
from tests.fakes.places import roomy
from tests.flows import invariants
from tests.flows.city import ROOM, City, until

CUSTODY = 'kind = "custody"\nsite = "city"\ntitle = "Divide the passphrase of the root"\n'
NEXT = 'kind = "issuers"\nsite = "city"\ntitle = "The next generation"\nissuers = ["infrastructure-2"]\n'
LIST = 'kind = "root-list"\nsite = "city"\ntitle = "The next list"\n'


@pytest.fixture
def unborn() -> Iterator[City]:
    """A folder with a configuration file; nothing is born or started yet."""
    folder = Path(tempfile.mkdtemp(dir=roomy(ROOM), prefix="tg-"))
    folder.chmod(0o755)
    city = City(folder)
    write_configuration(city.configuration, free_ports(wishes=()))
    yield city
    if city._process is not None and city._process.poll() is None:
        city.stop()
    shutil.rmtree(folder)
    city.terminal.unlink(missing_ok=True)


def _ceremony(city: City, script: Path, *options: str) -> str:
    return city.tallygate("ca", "--site", str(city.configuration), "ceremony", str(script), *options).stdout


def _hold(city: City, script: Path, text: str, *options: str) -> str:
    script.write_text(text, "utf-8")
    reviewed = hashlib.sha256(script.read_bytes()).hexdigest()
    assert f"--hold {reviewed}" in _ceremony(city, script, *options)
    return _ceremony(city, script, "--hold", reviewed, *options)


def _fetched(city: City, certificate: Path, into: Path) -> bytes:
    """The list at the address that a certificate names, by curl."""
    said = subprocess.run(
        ["openssl", "x509", "-in", str(certificate), "-noout", "-ext", "crlDistributionPoints"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    address = said.split("URI:")[1].split()[0]
    assert address.startswith(city.url("pki", "/crl/", "plain"))
    subprocess.run(["curl", "-sS", "--fail", "-o", str(into), address], check=True)
    return subprocess.run(
        ["openssl", "crl", "-inform", "DER", "-in", str(into)], capture_output=True, check=True
    ).stdout


def test_custodians_take_the_root_and_bring_its_list(unborn: City, tmp_path: Path) -> None:
    city, shares = unborn, tmp_path / "shares"
    city.tallygate("init", "--site", str(city.configuration))
    passphrase = city.folder / "offline" / "passphrase"
    assert passphrase.exists()
    # No role runs: the log is started for this alone.
    _hold(city, tmp_path / "custody.toml", CUSTODY, "--shares-to", str(shares))
    assert not passphrase.exists()
    assert len(list(shares.iterdir())) == 5

    city.start("--site", str(city.configuration), "--without-demo")
    brought = [word for number in (4, 2, 5) for word in ("--share", str(shares / f"share-{number}.txt"))]
    transcript = _hold(city, tmp_path / "list.toml", LIST, *brought)
    assert (tmp_path / "list.transcript").read_text("utf-8") == transcript

    leaf, issuer = city.folder / "nginx" / "tls.pem", city.folder / "public" / "issuers" / "infrastructure.pem"
    lists = [_fetched(city, each, tmp_path / f"{number}.crl") for number, each in enumerate((leaf, issuer))]
    assert hashlib.sha256((tmp_path / "1.crl").read_bytes()).hexdigest() in transcript
    (tmp_path / "lists.pem").write_bytes(b"".join(lists))
    done = subprocess.run(
        ["openssl", "verify", "-crl_check_all", "-CAfile", str(city.root), "-untrusted", str(issuer),
         "-CRLfile", str(tmp_path / "lists.pem"), str(leaf)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    _recorded(city, _next_generation(city, tmp_path, brought))


def _next_generation(city: City, folder: Path, brought: list[str]) -> str:
    """After its next start the role publishes and answers for both generations."""
    transcript = _hold(city, folder / "next.toml", NEXT, *brought)
    city.kill("ca")
    address = city.url("pki", "/crl/infrastructure-2.crl", "plain")
    until(lambda: requests.get(address, timeout=5).ok, seconds=60)
    issuer = city.folder / "public" / "issuers" / "infrastructure-2.pem"
    _fetched(city, issuer, folder / "root.crl")
    command = ["openssl", "crl", "-inform", "DER", "-noout", "-CAfile", str(issuer)]
    for name in ("infrastructure", "infrastructure-2"):
        found = requests.get(city.url("pki", f"/crl/{name}.crl", "plain"), timeout=5).content
        done = subprocess.run([*command], input=found, capture_output=True, check=False)
        assert (b"verify OK" in done.stderr) is (name == "infrastructure-2"), done.stderr
    return transcript


def _recorded(city: City, transcript: str) -> None:
    """Intents and outcomes are in the published record, with the digests that the custodians have."""
    invariants.check(city)
    said = [
        entry["told"]["attributes"]
        for entry in invariants.entries(city)
        if entry["told"]["type"].startswith("ca.ceremony.") and "script" in entry["told"]["attributes"]
    ]
    assert [each["kind"] for each in said] == ["custody", "custody", "root-list", "root-list", "issuers", "issuers"]
    assert f"sha256 {said[-1]['transcript']}" in transcript
