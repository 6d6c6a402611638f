# SPDX-License-Identifier: Apache-2.0
"""What each identity may see and change, asked with OpenLDAP's own clients."""

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from app.sample.city import PASSWORD
from directory import slapd
from directory.errors import DirectoryUnavailable, NoSuchPerson
from directory.models import Person
from directory.service import Directory
from directory.slapd.access import READERS, SERVICES
from tests.directory.world import World, self_signed


def seen(world: World, role: str, base: str, *wanted: str) -> dict[str, list[str]]:
    """The attributes one service sees of one entry."""
    found = world.as_service(role, "ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", base, *wanted)
    attributes: dict[str, list[str]] = {}
    for line in found.stdout.splitlines():
        name, _, value = line.partition(":")
        if name and value:
            attributes.setdefault(name, []).append(value.strip())
    return attributes


@pytest.mark.parametrize("role", SERVICES)
def test_each_service_binds_as_itself(filled: World, role: str) -> None:
    assert filled.as_service(role, "ldapwhoami").stdout.strip() == f"dn:{filled.tree.service(role)}"


def test_audit_has_no_identity_here(filled: World) -> None:
    found = filled.tool("ldapwhoami", bind=filled.tree.service("audit"), password="anything at all")
    assert found.returncode == 49


@pytest.mark.parametrize("role", SERVICES)
def test_nobody_reads_or_compares_a_password(filled: World, chen_wei: Person, role: str) -> None:
    dn = filled.tree.person(chen_wei.subject)
    assert "userPassword" not in seen(filled, role, dn, "*", "+", "userPassword")
    assert "pwdHistory" not in seen(filled, role, dn, "*", "+", "pwdHistory")
    compared = filled.as_service(role, "ldapcompare", dn, f"userPassword:{PASSWORD}")
    assert compared.returncode == 50
    searched = filled.as_service(
        role, "ldapsearch", "-LLL", "-b", filled.tree.branch("people"), "(userPassword=*)", "uid"
    )
    assert "uid:" not in searched.stdout


@pytest.mark.parametrize("role", SERVICES)
def test_nobody_reads_the_secrets_of_services(filled: World, role: str) -> None:
    assert seen(filled, role, filled.tree.service("directory"), "*", "+") == {}
    assert seen(filled, role, filled.tree.service(role), "*", "+") == {}


@pytest.mark.parametrize(
    ("branch", "readers"),
    [
        ("organisations", {"sso", "ca", "signatures", "directory"}),
        ("devices", {"gateway", "ca", "directory"}),
        # The gateway sees those of organisations, and of the branch only that it is there.
        ("mandates", {"sso", "ca", "signatures", "directory"}),
        ("roles", {"directory"}),
        ("portals", {"directory"}),
        ("policies", set()),
        ("services", set()),
    ],
)
def test_each_branch_has_its_readers(filled: World, branch: str, readers: set[str]) -> None:
    base = filled.tree.branch(branch)
    assert {role for role in SERVICES if seen(filled, role, base, "ou")} == readers


def test_the_gateway_reads_states_of_devices_and_mandates_of_organisations(filled: World) -> None:
    agent = filled.directory("directory").person_by_username("chen.wei")
    assert filled.directory("gateway").person(agent.subject).mandates == agent.mandates
    everything = ("gateway", "ldapsearch", "-LLL", "-b", filled.tree.branch("mandates"))
    said = filled.as_service(*everything, "(tallyPrincipal=*)", "1.1")
    assert "dn: " not in said.stdout


def test_the_signature_role_finds_people_by_user_name_and_reads_none(filled: World, chen_wei: Person) -> None:
    assert filled.directory("signatures").person_by_username("chen.wei").subject == chen_wei.subject
    assert "uid" not in seen(filled, "signatures", filled.tree.person(chen_wei.subject), "uid", "cn")
    with pytest.raises(NoSuchPerson):
        filled.directory("gateway").person_by_username("chen.wei")


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize(
    "change",
    [
        "changetype: modify\nreplace: tallyEnabled\ntallyEnabled: FALSE\n",
        "changetype: modify\nreplace: userPassword\nuserPassword: stolen-password-1\n",
        "changetype: modify\nreplace: memberOf\nmemberOf: cn=ra-officer,ou=roles,dc=city,dc=example\n",
        "changetype: delete\n",
    ],
)
def test_readers_change_nothing(filled: World, chen_wei: Person, role: str, change: str) -> None:
    text = f"dn: {filled.tree.person(chen_wei.subject)}\n{change}"
    assert modify(filled, role, text).returncode in (19, 50)
    assert filled.directory("directory").person(chen_wei.subject) == chen_wei


@pytest.mark.parametrize("role", SERVICES)
def test_nobody_changes_rules_services_or_themselves(filled: World, role: str) -> None:
    for dn, attribute in (
        (f"cn=default,{filled.tree.branch('policies')}", "pwdMinLength"),
        (filled.tree.service(role), "userPassword"),
        (filled.tree.service("directory"), "userPassword"),
        ("olcDatabase={1}mdb,cn=config", "olcAccess"),
    ):
        done = modify(filled, role, f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: 1\n")
        assert done.returncode != 0


def test_a_person_bound_as_themselves_sees_and_changes_nothing(filled: World, chen_wei: Person) -> None:
    dn = filled.tree.person(chen_wei.subject)
    whoami = filled.tool("ldapwhoami", bind=dn, password=PASSWORD)
    assert whoami.stdout.strip() == f"dn:{dn}"
    found = filled.tool("ldapsearch", "-LLL", "-b", filled.tree.suffix, bind=dn, password=PASSWORD)
    assert "dn:" not in found.stdout
    changed = filled.tool("ldappasswd", "-s", "a new password 1", bind=dn, password=PASSWORD)
    assert changed.returncode != 0
    assert "not allowed" in changed.stdout


def test_the_tree_has_no_anonymous_reader_and_no_root(filled: World) -> None:
    anonymous = subprocess.run(
        ["ldapsearch", "-x", "-LLL", "-H", filled.url, "-b", filled.tree.suffix],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert anonymous.returncode != 0
    assert "dn:" not in anonymous.stdout
    root = filled.tool("ldapwhoami", bind=f"cn=root,{filled.tree.suffix}", password="secret")
    assert root.returncode == 49
    unauthenticated = filled.tool("ldapwhoami", bind=filled.tree.service("sso"), password="")
    assert unauthenticated.returncode != 0


def test_the_same_over_tls_on_loopback_and_never_in_clear(filled: World) -> None:
    certificate = slapd.places(filled.site).certificate
    address = f"127.0.0.1:{filled.site.ports.ldaps}"

    def whoami(scheme: str) -> str:
        password = slapd.service_password(filled.secrets["gateway"])
        dn = filled.tree.service("gateway")
        command = ["ldapwhoami", "-x", "-H", f"{scheme}://{address}", "-D", dn, "-w", password]
        trusting = {"LDAPTLS_CACERT": str(certificate), "LDAPTLS_REQCERT": "demand", "PATH": "/usr/bin"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, env=trusting)
        return done.stdout.strip()

    assert whoami("ldaps") == f"dn:{filled.tree.service('gateway')}"
    assert whoami("ldap") == ""


def test_another_machine_reads_over_tls_and_only_with_the_right_issuer(filled: World, tmp_path: Path) -> None:
    url = f"ldaps://127.0.0.1:{filled.site.ports.ldaps}"
    settings = replace(filled.settings, url=url, ca_file=slapd.places(filled.site).certificate)
    directory = Directory.connect(settings, site=filled.site, role="sso", clock=filled.clock)
    assert directory.person_by_username("chen.wei").name == "Chen Wei"

    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(self_signed()[0])
    settings = replace(settings, ca_file=stranger)
    with pytest.raises(DirectoryUnavailable):
        Directory.connect(settings, site=filled.site, role="sso", clock=filled.clock).check()


def modify(world: World, role: str, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """One LDIF change by a service."""
    with tempfile.NamedTemporaryFile("w", suffix=".ldif", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return world.as_service(role, "ldapmodify", *options, "-f", file.name)
