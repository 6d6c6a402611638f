# SPDX-License-Identifier: Apache-2.0
"""Portals and operating systems read by LDAP with certificates: OpenLDAP's own clients against a real slapd.

The world has authorities of its own: ``devices``, which slapd trusts, and ``people``, which it does not.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ldap
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ldap.ldapobject import SimpleLDAPObject

from app.wiring.directory import hearing
from audit import Entry, Event, Outcome
from directory import DirectorySettings, slapd
from directory.errors import (
    BadDays,
    BadRight,
    DeviceBarred,
    DeviceIsOut,
    NoReason,
    NoSuchDevice,
    NoSuchOrganisation,
)
from directory.imports import parse, read_csv
from directory.models import ADMINISTRATOR, AGENCY_ADMINISTRATOR, DeviceState
from directory.service import Outsiders
from tests.directory.desk import Desk
from tests.directory.world import World
from tests.fakes.ports import free_port

Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
SECOND, THIRD = "5ad21cbe-4c52-4a30-8f6c-0c05a1b6b001", "5ad21cbe-4c52-4a30-8f6c-0c05a1b6b002"
PORTAL = "5ad21cbe-4c52-4a30-8f6c-0c05a1b6b000"
ELSEWHERE = "127.0.0.2"
WHY = "the portal asks for names"
LAST = 30


def certify(names: list[tuple[x509.ObjectIdentifier, str]], issuer: Pair | None = None) -> Pair:
    """A certificate of an authority, or of whoever these names name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(kind, value) for kind, value in names])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        subject_name=name,
        issuer_name=issuer[0].subject if issuer else name,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=9),
    ).add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def device_names(device: str, name: str = "portal") -> list[tuple[x509.ObjectIdentifier, str]]:
    """As the profile ``device-client`` writes them."""
    return [
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "Sample City"),
        (NameOID.SERIAL_NUMBER, device),
        (NameOID.COMMON_NAME, name),
    ]


class Machine:
    """The files of one client outside, and what its programs are told."""

    def __init__(self, world: World, folder: Path, pair: Pair | None) -> None:
        self._world = world
        self.environment = dict(os.environ, LDAPTLS_CACERT=str(slapd.places(world.site).certificate))
        if pair is not None:
            certificate, key = folder / "own.pem", folder / "own.key"
            certificate.write_bytes(pair[0].public_bytes(serialization.Encoding.PEM))
            kind, no = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            key.write_bytes(pair[1].private_bytes(serialization.Encoding.PEM, kind, no))
            self.environment |= {"LDAPTLS_CERT": str(certificate), "LDAPTLS_KEY": str(key)}

    def __call__(
        self, tool: str, *arguments: str, starttls: bool = False, address: str = "127.0.0.1"
    ) -> subprocess.CompletedProcess[str]:
        ports = self._world.site.ports.ldaps, self._world.settings.starttls_port
        where = ["-ZZ", "-H", f"ldap://{address}:{ports[1]}/"] if starttls else ["-H", f"ldaps://{address}:{ports[0]}/"]
        command = [tool, "-Q", "-Y", "EXTERNAL", *where, *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def sees(self, branch: str, where: str = "(objectClass=*)", *arguments: str) -> dict[str, set[str]]:
        """Names in the tree below a branch, each with its attributes."""
        base = self._world.tree.branch(branch)
        found = self("ldapsearch", "-LLL", "-o", "ldif-wrap=no", *arguments, "-b", base, where, "*", "+")
        blocks = [block for block in found.stdout.split("\n\n") if block.startswith("dn:")]
        return {
            block.splitlines()[0].removeprefix("dn: "): set(re.findall(r"^(\w+)(?:;\w+)?:", block, re.MULTILINE))
            - {"dn"}
            for block in blocks
        }

    def open(self) -> SimpleLDAPObject:
        """A connection that stays open."""
        connection = ldap.initialize(f"ldaps://127.0.0.1:{self._world.site.ports.ldaps}")
        for option, name in (
            (ldap.OPT_X_TLS_CACERTFILE, "LDAPTLS_CACERT"),
            (ldap.OPT_X_TLS_CERTFILE, "LDAPTLS_CERT"),
            (ldap.OPT_X_TLS_KEYFILE, "LDAPTLS_KEY"),
        ):
            connection.set_option(option, self.environment[name])
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        connection.sasl_external_bind_s()
        return connection


class Town:
    """The sample city with authorities, three devices of one agency, and their machines."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.devices = certify([(NameOID.COMMON_NAME, "devices")])
        self.people = certify([(NameOID.COMMON_NAME, "people")])
        issuers = world.site.public / "issuers"
        issuers.mkdir(parents=True, exist_ok=True)
        (issuers / "devices.pem").write_bytes(self.devices[0].public_bytes(serialization.Encoding.PEM))
        (issuers / "people.pem").write_bytes(self.people[0].public_bytes(serialization.Encoding.PEM))
        world.pause()
        world.settings = replace(world.settings, starttls_port=free_port(), listen=(ELSEWHERE,))
        assert slapd.configure(world.settings, world.site)
        world.start()
        self.writer = world.writer()
        directory = world.directory("directory")
        self.agency = directory.person_by_username("li.na").organisation
        self.other = next(
            each.id for each in directory.organisations("", limit=50).items if each.id != self.agency and each.agency
        )
        lines = "".join(f"device,Portal {each[-1]},{self.agency}\n" for each in (PORTAL, SECOND, THIRD))
        rows = read_csv(f"kind,name,organisation\n{lines}".encode())
        given = iter((PORTAL, SECOND, THIRD))
        assert not self.writer.enter(parse(rows, new_id=lambda: next(given)), actor="").refused

    @property
    def outsiders(self) -> Outsiders:
        return self.writer.outsiders

    def until(self, days: int = LAST) -> datetime:
        return self.world.clock.now() + timedelta(days=days)

    def let(self, device: str, *rights: str, scopes: tuple[str, ...] = ()) -> None:
        self.outsiders.let(device, rights, scopes, until=self.until().date(), actor="", reason=WHY)

    def machine(self, device: str = PORTAL, *, issuer: Pair | None = None, name: str = "portal") -> Machine:
        pair = certify(device_names(device, name), issuer or self.devices)
        folder = self.folder / f"m{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return Machine(self.world, folder, pair)

    def nobody(self) -> Machine:
        return Machine(self.world, self.folder, None)


@pytest.fixture(scope="module")
def town(filled: World, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """Shared by the tests of this module; each says itself what its device may read."""
    return Town(filled, tmp_path_factory.mktemp("machines"))


@pytest.fixture
def portal(town: Town) -> Iterator[Machine]:
    """A machine of a device that may read nothing yet, and may read nothing afterwards."""
    yield town.machine()
    if town.outsiders.one(PORTAL).rights:
        town.outsiders.close(PORTAL, actor="")


# Right: branch: the attributes that it shows.
WHO = {"objectClass", "tallySubject", "cn", "tallyNameZh", "tallyOrganisation", "tallyEnabled"}
SHOWN: list[tuple[tuple[str, ...], dict[str, set[str]]]] = [
    (("people",), {"people": WHO}),
    (("people", "usernames"), {"people": WHO | {"uid"}}),
    (("people", "addresses"), {"people": WHO | {"mail"}}),
    (("people", "roles"), {"people": WHO | {"memberOf", "tallyRolesUntil"}}),
    (("organisations",), {"organisations": {"objectClass", "tallyId", "o", "tallyNameZh"}}),
    (("devices",), {"devices": {"objectClass", "tallyId", "cn", "tallyOrganisation", "tallyEnabled"}}),
    (
        ("people", "usernames", "organisations"),
        {"people": WHO | {"uid"}, "organisations": {"objectClass", "tallyId", "o", "tallyNameZh"}},
    ),
]
BRANCHES = (
    "people", "organisations", "devices", "mandates", "roles", "portals", "services", "policies", "posts", "grants",
    "holdings", "departments", "representatives", "offers",
)  # fmt: skip


@pytest.mark.parametrize(("rights", "shown"), SHOWN, ids=" ".join)
def test_a_device_sees_what_its_rights_say_and_nothing_else(
    town: Town, portal: Machine, rights: tuple[str, ...], shown: dict[str, set[str]]
) -> None:
    town.let(PORTAL, *rights)
    for branch in BRANCHES:
        found = portal.sees(branch)
        names = set().union(*found.values())
        assert names <= shown.get(branch, set()), branch
        if branch in shown:
            assert found
            # Some attributes only some people have; the device's own branch is small enough to hold few.
            assert shown[branch] - names <= {"tallyRolesUntil", "tallyNameZh"}
        else:
            assert not found, branch


@pytest.mark.parametrize("right", ["people", "organisations", "devices"])
def test_a_right_over_one_organisation_shows_no_other(town: Town, portal: Machine, right: str) -> None:
    rights = ("people", "usernames", "roles") if right == "people" else (right,)
    town.let(PORTAL, *rights, scopes=(town.agency,))
    mark = "tallyId" if right == "organisations" else "tallyOrganisation"
    own, alien = f"({mark}={town.agency})", f"({mark}={town.other})"
    assert portal.sees(right, own)
    assert not portal.sees(right, alien)
    assert not portal.sees(right, f"(!{own})")
    assert portal.sees(right).keys() == portal.sees(right, own).keys()


def test_starttls_and_ldaps_lead_to_the_same_identity(town: Town, portal: Machine) -> None:
    town.let(PORTAL, "people")
    name = f"dn:{town.world.tree.device(PORTAL)}".lower()
    assert portal("ldapwhoami").stdout.strip().lower() == name
    assert portal("ldapwhoami", starttls=True).stdout.strip().lower() == name


@pytest.mark.parametrize("starttls", [False, True])
def test_at_another_address_the_rules_are_the_same(town: Town, portal: Machine, *, starttls: bool) -> None:
    town.let(PORTAL, "people")
    name = f"dn:{town.world.tree.device(PORTAL)}".lower()
    there = portal("ldapwhoami", starttls=starttls, address=ELSEWHERE)
    assert there.stdout.strip().lower() == name, there.stderr
    base = town.world.tree.branch("people")
    found = [
        portal("ldapsearch", "-LLL", "-b", base, "(tallyEnabled=TRUE)", "*", starttls=starttls, address=address)
        for address in ("127.0.0.1", ELSEWHERE)
    ]
    assert found[0].stdout == found[1].stdout
    assert "tallySubject: " in found[1].stdout
    strange = town.machine(issuer=town.people)("ldapwhoami", starttls=starttls, address=ELSEWHERE)
    assert strange.returncode != 0
    assert not strange.stdout
    # At no address that was not named.
    assert portal("ldapwhoami", starttls=starttls, address="127.0.0.3").returncode != 0
    ports = {town.world.site.ports.ldaps, town.world.settings.starttls_port}
    assert town.world.listens_at() == {(address, port) for address in ("127.0.0.1", ELSEWHERE) for port in ports}


@pytest.mark.parametrize("listen", [("0.0.0.0",), ("127.0.0.1",), ("ldap.example",), ("::1",)])  # noqa: S104 - refused
def test_only_single_addresses_can_be_listened_at(listen: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"listen|IPv4|Expected|Octet"):
        DirectorySettings(listen=listen)


def test_what_the_authority_withdraws_bars_the_device_by_the_record(town: Town, portal: Machine) -> None:
    town.let(PORTAL, "people")
    hear = hearing(town.world.store, town.outsiders, town.writer.provisioning, town.world.clock)

    def says(kind: str, outcome: Outcome, *, subject: str = PORTAL, issuer: str = "devices") -> None:
        event = Event(
            key="0" * 32, type=f"ca.certificate.{kind}", outcome=outcome, at=town.world.clock.now(), source="ca",
            subject=subject, object="serial-7", attributes={"issuer": issuer},
        )  # fmt: skip
        hear([Entry(index=town.world.store.heard(), event=event)])

    assert portal.sees("people")
    for kind, outcome, issuer, subject in (
        ("suspended", Outcome.FAILURE, "devices", PORTAL),
        ("suspended", Outcome.SUCCESS, "people", PORTAL),
        ("suspended", Outcome.SUCCESS, "devices", SECOND),
        ("released", Outcome.INTENDED, "devices", PORTAL),
    ):
        says(kind, outcome, issuer=issuer, subject=subject)
        assert portal.sees("people")
    says("suspended", Outcome.SUCCESS, issuer="devices-2")
    assert not portal.sees("people")
    says("released", Outcome.SUCCESS, issuer="devices-2")
    assert portal.sees("people")
    says("revoked", Outcome.SUCCESS)
    assert not portal.sees("people")
    for device in (PORTAL, SECOND):
        town.outsiders.release(device, "serial-7")


def test_in_clear_nobody_binds_and_nobody_reads(town: Town) -> None:
    url = f"ldap://127.0.0.1:{town.world.settings.starttls_port}/"
    who = ["-D", town.world.tree.service("sso"), "-w", slapd.service_password(town.world.secrets["sso"])]
    for identity in ([], who):
        for tool in (["ldapwhoami"], ["ldapsearch", "-LLL", "-b", town.world.tree.suffix]):
            done = subprocess.run(
                [tool[0], "-x", "-H", url, *identity, *tool[1:]],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode in (13, 48), done
            assert not done.stdout


@pytest.mark.parametrize("kind", ["people", "own", "none"])
def test_only_a_certificate_of_the_devices_authority_is_somebody(town: Town, portal: Machine, kind: str) -> None:
    town.let(PORTAL, "people")
    strange = {"people": town.people, "own": certify([(NameOID.COMMON_NAME, "devices")])}
    machine = town.machine(issuer=strange[kind]) if kind in strange else town.nobody()
    for starttls in (False, True):
        done = machine("ldapwhoami", starttls=starttls)
        assert done.returncode != 0
        assert not done.stdout
    assert not machine.sees("people")
    assert portal.sees("people")


@pytest.mark.parametrize(
    "name",
    [
        f"x,serialNumber={PORTAL}",
        f"x+serialNumber={PORTAL}",
        f"x\\,serialNumber={PORTAL}",
        f'x",serialNumber={PORTAL},c=cn',
        f"x,serialNumber={PORTAL},c=cn",
        "*)(objectClass=*",
    ],
)
def test_a_name_is_taken_for_no_identifier(town: Town, portal: Machine, name: str) -> None:
    town.let(PORTAL, "people")
    machine = town.machine(THIRD, name=name)
    assert town.world.tree.device(PORTAL).lower() not in machine("ldapwhoami").stdout.lower()
    assert not machine.sees("people")
    assert portal.sees("people")


@pytest.mark.parametrize(
    "device", [f"{PORTAL})(tallyRight=a", f"a)({PORTAL}", f"{PORTAL})(x=", "", "no-such-device", PORTAL + ","]
)
def test_an_identifier_is_taken_for_no_filter(town: Town, portal: Machine, device: str) -> None:
    town.let(PORTAL, "people")
    names = [each for each in device_names(device or "x") if device or each[0] != NameOID.SERIAL_NUMBER]
    folder = town.folder / f"m{len(list(town.folder.iterdir()))}"
    folder.mkdir()
    machine = Machine(town.world, folder, certify(names, town.devices))
    assert "tallyid" not in machine("ldapwhoami").stdout.lower()
    assert not machine.sees("people")
    assert portal.sees("people")


def test_a_device_without_a_right_sees_nothing(town: Town, portal: Machine) -> None:
    assert not any(portal.sees(branch) for branch in BRANCHES)


def test_a_withdrawn_certificate_shuts_out_at_once_and_for_good(town: Town) -> None:
    town.let(SECOND, "people")
    machine = town.machine(SECOND)
    connection = machine.open()
    base = town.world.tree.branch("people")

    def seen() -> bool:
        try:
            return bool(connection.search_ext_s(base, ldap.SCOPE_ONELEVEL, "(uid=*)", ["cn"], sizelimit=1))
        except ldap.SIZELIMIT_EXCEEDED:
            return True

    town.let(SECOND, "people", "usernames")
    assert seen()
    town.world.clear()
    assert town.outsiders.bar(SECOND, "serial-1")
    # The connection was there before.
    assert not seen()
    assert not machine.sees("people")
    assert not town.outsiders.bar(SECOND, "serial-1")
    (told,) = town.world.outbox()
    assert (told.type, told.subject, told.attributes["certificate"]) == (
        "directory.software.barred",
        SECOND,
        "serial-1",
    )
    with pytest.raises(DeviceBarred):
        town.let(SECOND, "people")
    # Suspended and released again: the same rights count.
    assert town.outsiders.release(SECOND, "serial-1")
    assert machine.sees("people")
    assert not town.outsiders.release(SECOND, "serial-1")
    town.outsiders.close(SECOND, actor="", reason="over")
    assert not seen()
    connection.unbind_s()


def test_what_is_no_device_of_ours_is_not_barred(town: Town) -> None:
    assert not town.outsiders.bar("no-such-device", "serial-1")
    assert not town.outsiders.release("no-such-device", "serial-1")


def test_a_disabled_device_sees_nothing_on_an_open_connection(town: Town, portal: Machine) -> None:
    town.let(PORTAL, "organisations")
    connection = portal.open()
    base = town.world.tree.branch("organisations")
    assert connection.search_ext_s(base, ldap.SCOPE_ONELEVEL, "(o=*)", ["o"])
    town.writer.disable_device(PORTAL, actor="")
    with pytest.raises(ldap.NO_SUCH_OBJECT):
        connection.search_ext_s(town.world.tree.organisation(town.agency), ldap.SCOPE_BASE, "(o=*)", ["o"])
    assert not portal.sees("organisations")
    with pytest.raises(DeviceIsOut):
        town.let(PORTAL, "people")
    town.writer.enable_device(PORTAL, actor="")
    assert portal.sees("organisations")
    connection.unbind_s()


def test_rights_are_handed_over_with_both_reading_until_the_last_day(town: Town) -> None:
    town.let(SECOND, "people", scopes=(town.agency,))
    last = town.until(3).date()
    town.outsiders.rotate(SECOND, THIRD, last=last, actor="", reason="a new key")
    old, new = town.outsiders.one(SECOND), town.outsiders.one(THIRD)
    assert (old.rights, old.until) == (new.rights, last)
    assert new.until == town.until().date()
    assert town.machine(SECOND).sees("people").keys() == town.machine(THIRD).sees("people").keys() != set()
    assert town.outsiders.end() == 0
    town.world.clock.advance(timedelta(days=4))
    assert town.outsiders.end() == 1
    assert not town.machine(SECOND).sees("people")
    assert town.machine(THIRD).sees("people")
    with pytest.raises(NoSuchDevice):
        town.outsiders.rotate(SECOND, THIRD, last=last, actor="", reason="again")
    town.outsiders.close(THIRD, actor="")


def test_letting_read_is_recorded_before_and_after(town: Town, portal: Machine) -> None:
    town.world.clear()
    town.let(PORTAL, "people", scopes=(town.agency,))
    assert portal.sees("people")
    (intent,), (done,) = town.world.recorder.events, town.world.outbox()
    assert (intent.type, intent.outcome, intent.subject) == ("directory.software.let", Outcome.INTENDED, PORTAL)
    assert (done.outcome, done.type) == (Outcome.SUCCESS, intent.type)
    assert done.attributes["rights"] == "people"
    assert done.attributes["scope"] == town.agency
    assert done.sealed["reason"] == WHY
    # What it was let before is not what it is let now.
    town.let(PORTAL, "devices")
    assert town.outsiders.one(PORTAL).rights == ("devices:all",)
    # Nothing of it looks like a change past the writer.
    assert town.writer.watch.look() == 0


@pytest.mark.parametrize(
    ("asked", "days", "reason", "error"),
    [
        (((), ()), 3, WHY, BadRight),
        ((("everything",), ()), 3, WHY, BadRight),
        ((("people:all",), ()), 3, WHY, BadRight),
        ((("roles",), ()), 3, WHY, BadRight),
        ((("organisations", "addresses"), ()), 3, WHY, BadRight),
        ((("people",), ("all",)), 3, WHY, NoSuchOrganisation),
        ((("people",), ("no-such",)), 3, WHY, NoSuchOrganisation),
        ((("people",), tuple(map(str, range(9)))), 3, WHY, NoSuchOrganisation),
        ((("people",), ()), -1, WHY, BadDays),
        ((("people",), ()), 400, WHY, BadDays),
        ((("people",), ()), 3, " ", NoReason),
    ],
)
def test_what_cannot_be_let(
    town: Town, asked: tuple[tuple[str, ...], tuple[str, ...]], days: int, reason: str, error: type[Exception]
) -> None:
    town.world.clear()
    with pytest.raises(error):
        town.outsiders.let(PORTAL, *asked, until=town.until(days).date(), actor="", reason=reason)
    assert not town.world.recorder.events
    assert not town.outsiders.one(PORTAL).rights


def test_a_retired_device_and_one_that_is_not_there_are_not_let_in(town: Town) -> None:
    with pytest.raises(NoSuchDevice):
        town.let("no-such-device", "people")
    town.writer.set_device_state(THIRD, DeviceState.LOST, actor="", reason="stolen")
    with pytest.raises(DeviceIsOut):
        town.let(THIRD, "people")
    town.writer.set_device_state(THIRD, DeviceState.HEALTHY, actor="", reason="found")
    town.writer.enable_device(THIRD, actor="")


@pytest.mark.parametrize(
    "control",
    [(), ("-E", "pr=50/noprompt"), ("-E", "!pr=100000/noprompt"), ("-E", "sync=ro"), ("-E", "!sync=rp/x/1")],
)
def test_no_device_walks_off_with_the_register(town: Town, portal: Machine, control: tuple[str, ...]) -> None:
    town.let(PORTAL, "people")
    for limit in ("0", "max", "100000"):
        assert len(portal.sees("people", "(objectClass=*)", "-z", limit, "-l", "0", *control)) <= 100


@pytest.mark.parametrize(
    "where", ["(uid=*)", "(mail=*)", "(memberOf=*)", "(userPassword=*)", "(tallyNumberIndex=*)", "(sn=*)"]
)
def test_what_is_not_shown_is_not_found_by(town: Town, portal: Machine, where: str) -> None:
    town.let(PORTAL, "people")
    assert not portal.sees("people", where)


def test_no_device_changes_anything_or_becomes_somebody_else(town: Town, portal: Machine) -> None:
    town.let(PORTAL, "people", "usernames", "addresses", "roles", "organisations", "devices")
    own = town.world.tree.device(PORTAL)
    person = town.world.tree.person(town.world.directory("directory").person_by_username("li.na").subject)
    for dn, line in (
        (own, "tallyRight: people:all"), (own, "tallyUntil: 20990101000000Z"), (own, "tallyEnabled: TRUE"),
        (person, "mail: a@b.example"), (person, "userPassword: x"),
        (town.world.tree.role("ra-officer"), f"member: {own}"),
    ):  # fmt: skip
        change = town.folder / "change.ldif"
        change.write_text(f"dn: {dn}\nchangetype: modify\nreplace: {line.partition(':')[0]}\n{line}\n", "utf-8")
        assert portal("ldapmodify", "-f", str(change)).returncode in (19, 32, 50)
    assert portal("ldapdelete", own).returncode in (32, 50)
    for control in ("!authzid=dn:" + town.world.tree.service("directory"), "!authzid=u:directory"):
        assert "directory" not in portal("ldapwhoami", "-e", control).stdout
    assert "directory" not in portal("ldapwhoami", "-X", "dn:" + town.world.tree.service("directory")).stdout


def test_clients_that_go_away_midway_cost_nothing(town: Town, portal: Machine) -> None:
    town.let(PORTAL, "people")
    for _ in range(20):
        connection = portal.open()
        connection.search_ext(town.world.tree.branch("people"), ldap.SCOPE_SUBTREE, "(objectClass=*)")
        connection.unbind_s()
    assert portal.sees("people")


def test_the_desk_lets_hands_over_and_takes(town: Town) -> None:
    administrator = town.world.directory("directory").person_by_username("li.na").subject
    desk = Desk(town.world, subject=administrator, roles=frozenset({ADMINISTRATOR}))
    day = town.until(3).date().isoformat()
    form = {"device": SECOND, "right": ["people", "roles"], "organisations": town.agency, "until": day, "reason": WHY}
    assert desk.post("/software", form).status_code == 303
    assert town.outsiders.one(SECOND).rights == (f"people:{town.agency}", f"roles:{town.agency}")
    page = desk.get("/software?done=let").text
    assert SECOND in page
    assert town.agency in page
    assert desk.post(f"/software/{SECOND}/rotate", {"to": THIRD, "last": day, "reason": WHY}).status_code == 303
    for device in (SECOND, THIRD):
        assert desk.post(f"/software/{device}/close", {"reason": "over"}).status_code == 303
    assert not town.outsiders.all()
    assert desk.post("/software", {**form, "right": "everything"}).status_code == 400
    assert desk.post("/software", form, token=False).status_code == 403
    agency = Desk(town.world, subject=administrator, roles=frozenset({AGENCY_ADMINISTRATOR}))
    assert agency.get("/software").status_code == 403
    assert agency.post("/software", form).status_code == 403
    assert not town.outsiders.all()
