# SPDX-License-Identifier: Apache-2.0
"""Certificates and lists in the tree, looked for with OpenLDAP's own client by software that knows nothing of us."""

import base64
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from flask import Flask

import directory
from core.calls import CALLER_HEADER, SECRET_HEADER, PairSecrets
from core.errors import Invalid, NotFound
from core.web import Guard, create
from directory import slapd, web
from directory.client import PublishingClient
from directory.errors import (
    BadName,
    DirectoryRefused,
    DirectoryUnavailable,
    NoSuchDevice,
    NoSuchOrganisation,
    NoSuchPerson,
    UnreadableCertificate,
)
from directory.ldap import changes
from directory.models import Person
from directory.service.publishing import MOST
from directory.service.watching import ALARM
from directory.store import State, Undertaking
from tests.ca.sites import TestPeer
from tests.directory.test_access import modify
from tests.directory.world import World
from tests.fakes.clock import ManualClock

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
AT = ManualClock().now()
SECRET = b"c" * 32


@cache
def certificate(serial: int = 1) -> bytes:
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(AT)
        .not_valid_after(AT + timedelta(days=1))
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


@cache
def revocation_list(number: int = 1) -> bytes:
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(NAME)
        .last_update(AT)
        .next_update(AT + timedelta(days=1))
        .add_extension(x509.CRLNumber(number), critical=False)
        .sign(KEY, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def found(world: World, base: str, where: str, *wanted: str, role: str = slapd.LOOKUP) -> list[str]:
    """Lines that OpenLDAP's client prints; binary values are base64 behind two colons."""
    searched = world.as_service(role, "ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", base, where, *wanted)
    return searched.stdout.splitlines()


def published(world: World, base: str, where: str, attribute: str = "userCertificate") -> list[bytes]:
    head = f"{attribute};binary:: "
    lines = found(world, base, where, f"{attribute};binary")
    return [base64.b64decode(line.removeprefix(head)) for line in lines if line.startswith(head)]


@pytest.fixture
def quiet(filled: World) -> World:
    filled.writer().watch.look()
    filled.clear()
    return filled


def test_a_person_is_found_by_name_and_address_and_the_certificate_is_what_was_said(
    quiet: World, li_na: Person
) -> None:
    publishing, people = quiet.writer().publishing, quiet.tree.branch("people")
    assert published(quiet, people, f"(mail={li_na.mail})") == []
    assert publishing.certificates("people", li_na.subject, [certificate(1), certificate(2)])
    assert published(quiet, people, f"(cn={li_na.name})") == [certificate(1), certificate(2)]
    assert published(quiet, people, f"(mail={li_na.mail})") == [certificate(1), certificate(2)]
    exact = '(userCertificate:certificateExactMatch:={ serialNumber 2, issuer rdnSequence:"cn=somebody" })'
    assert published(quiet, people, exact) == [certificate(1), certificate(2)]
    # The second time nothing changes, and the last word counts.
    assert not publishing.certificates("people", li_na.subject, [certificate(2), certificate(1)])
    assert publishing.certificates("people", li_na.subject, [certificate(3)])
    assert published(quiet, people, f"(mail={li_na.mail})") == [certificate(3)]
    assert publishing.certificates("people", li_na.subject, [])
    assert published(quiet, people, f"(mail={li_na.mail})") == []
    assert quiet.directory("directory").person(li_na.subject) == li_na


def test_organisations_and_devices_have_theirs(quiet: World) -> None:
    publishing, directory = quiet.writer().publishing, quiet.directory("directory")
    organisation, device = directory.organisations().items[0], directory.devices().items[0]
    assert publishing.certificates("organisations", organisation.id, [certificate()])
    assert publishing.certificates("devices", device.id, [certificate()])
    assert published(quiet, quiet.tree.branch("organisations"), f"(tallyId={organisation.id})") == [certificate()]
    assert published(quiet, quiet.tree.branch("devices"), f"(tallyId={device.id})") == [certificate()]
    assert directory.organisation(organisation.id) == organisation
    assert directory.device(device.id) == device


def test_an_authority_has_an_entry_of_the_standards_classes(quiet: World) -> None:
    publishing, authorities = quiet.writer().publishing, quiet.tree.branch("authorities")
    assert publishing.authority("people", {"certificate": certificate(7), "list": revocation_list(1)})
    where = "(&(objectClass=pkiCA)(cn=people))"
    assert published(quiet, authorities, where, "cACertificate") == [certificate(7)]
    assert published(quiet, authorities, where, "certificateRevocationList") == [revocation_list(1)]
    assert publishing.authority("people", {"list": revocation_list(2), "delta": revocation_list(3)})
    assert published(quiet, authorities, where, "cACertificate") == [certificate(7)]
    assert published(quiet, authorities, where, "certificateRevocationList") == [revocation_list(2)]
    assert published(quiet, authorities, where, "deltaRevocationList") == [revocation_list(3)]
    assert not publishing.authority("people", {"list": revocation_list(2)})
    assert publishing.authority("people", {"delta": b""})
    assert published(quiet, authorities, where, "deltaRevocationList") == []


def test_outside_software_sees_nothing_else(quiet: World, li_na: Person, chen_wei: Person) -> None:
    quiet.writer().publishing.certificates("people", li_na.subject, [certificate()])
    whole = "\n".join(found(quiet, quiet.tree.suffix, "(objectClass=*)", "*", "+"))
    assert li_na.subject in whole
    for secret in (chen_wei.subject, chen_wei.name, li_na.mail, li_na.username, "memberOf", "tallyClearance", "uid:"):
        assert secret not in whole
    for where in (f"(uid={li_na.username})", "(tallyClearance=1)", "(tallyEnabled=TRUE)", f"(cn={chen_wei.name})"):
        assert published(quiet, quiet.tree.branch("people"), where) == []
    person = quiet.tree.person(li_na.subject)
    wrong = f"dn: {person}\nchangetype: modify\nreplace: userCertificate;binary\n"
    assert modify(quiet, slapd.LOOKUP, wrong).returncode == 50
    quiet.writer().publishing.certificates("people", li_na.subject, [])
    assert found(quiet, quiet.tree.branch("people"), "(objectClass=*)") == []


def test_one_answer_holds_ten_entries_at_most(quiet: World) -> None:
    publishing, directory = quiet.writer().publishing, quiet.directory("directory")
    devices = [device.id for device in directory.devices(limit=12).items]
    assert len(devices) > slapd.MOST_FOR_LOOKUPS
    for device in devices:
        publishing.certificates("devices", device, [certificate()])
    lines = found(quiet, quiet.tree.branch("devices"), "(userCertificate=*)", "cn")
    assert sum(line.startswith("dn:") for line in lines) == slapd.MOST_FOR_LOOKUPS


def test_the_watch_knows_what_was_published_and_alarms_about_what_was_not(quiet: World, li_na: Person) -> None:
    writer = quiet.writer()
    writer.publishing.certificates("people", li_na.subject, [certificate(1), certificate(2)])
    writer.publishing.certificates("people", li_na.subject, [])
    writer.publishing.authority("devices", {"certificate": certificate(), "list": revocation_list()})
    writer.publishing.authority("devices", {"list": b""})
    assert writer.watch.look() == 0
    assert quiet.outbox() == []
    text = base64.b64encode(certificate(9)).decode()
    forged = f"dn: {quiet.tree.person(li_na.subject)}\nchangetype: modify\nadd: userCertificate;binary\n"
    assert modify(quiet, "directory", f"{forged}userCertificate;binary:: {text}\n").returncode == 0
    assert writer.watch.look() == 1
    (alarm,) = quiet.outbox()
    assert (alarm.type, alarm.subject) == (ALARM, li_na.subject)
    assert alarm.attributes["names"] == "userCertificate;binary"
    assert alarm.sealed["after.userCertificate-binary"].startswith("sha256 ")
    (change,) = (each for each in writer.unrecorded.newest() if each.can_be_undone)
    writer.unrecorded.undo(change.number, actor="")
    assert published(quiet, quiet.tree.branch("people"), f"(cn={li_na.name})") == []
    assert writer.watch.look() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        [b""],
        [b"0"],
        [b"no certificate"],
        [certificate() + b"0"],
        [b"\x30\x82\x40\x01" + bytes(0x4001)],
        [b"\x30\x80\0\0"],
    ],
)
def test_what_is_no_certificate_is_refused(quiet: World, li_na: Person, wrong: list[bytes]) -> None:
    with pytest.raises(UnreadableCertificate):
        quiet.writer().publishing.certificates("people", li_na.subject, wrong)
    with pytest.raises(UnreadableCertificate):
        quiet.writer().publishing.authority("people", {"certificate": wrong[0] or b"x"})


def test_what_slapd_refuses_holds_up_nothing(quiet: World, li_na: Person) -> None:
    writer = quiet.writer()
    with pytest.raises(DirectoryRefused):
        writer.publishing.certificates("people", li_na.subject, [b"\x30\x03\x02\x01\x01"])
    writer.grant_role(li_na.subject, "ra-officer", actor="", reason="x")
    writer.withdraw_role(li_na.subject, "ra-officer", actor="")
    assert quiet.store.underway() == []


def test_there_is_no_entry_for_strangers(quiet: World) -> None:
    publishing = quiet.writer().publishing
    nobody = "00000000-0000-4000-8000-000000000000"
    for kind, error in (("people", NoSuchPerson), ("organisations", NoSuchOrganisation), ("devices", NoSuchDevice)):
        with pytest.raises(error):
            publishing.certificates(kind, nobody, [certificate()])
    with pytest.raises(BadName):
        publishing.certificates("services", "ca", [certificate()])
    with pytest.raises(UnreadableCertificate):
        publishing.certificates("people", nobody, [certificate()] * (MOST + 1))
    with pytest.raises(UnreadableCertificate):
        publishing.authority("people", {"userPassword": certificate()})


def test_what_a_crash_left_is_made_first_and_in_its_order(quiet: World, li_na: Person) -> None:
    writer, dn = quiet.writer(), quiet.tree.person(li_na.subject)
    left = changes.publish(dn, "userCertificate;binary", [certificate(1)])
    quiet.store.announce(Undertaking("left", State.SHOWN, (left,), (), None))
    assert writer.publishing.certificates("people", li_na.subject, [certificate(2)])
    assert published(quiet, quiet.tree.branch("people"), f"(cn={li_na.name})") == [certificate(2)]
    assert writer.watch.look() == 0
    assert quiet.store.underway() == []


def test_a_silent_server_is_waited_for_and_a_tree_of_an_older_release_gets_its_branch(own_world: World) -> None:
    writer, authorities = own_world.writer(), own_world.tree.branch("authorities")
    own_world.pool("directory").remove(authorities)
    assert writer.watch.look() == 1, "what the test did past the writer, and nothing else"
    assert writer.publishing.authority("people", {"list": revocation_list(1)})
    assert published(own_world, authorities, "(cn=people)", "certificateRevocationList") == [revocation_list(1)]
    own_world.pause()
    with pytest.raises(DirectoryUnavailable):
        writer.publishing.authority("people", {"list": revocation_list(2)})
    own_world.start()
    assert writer.publishing.authority("people", {"list": revocation_list(2)})
    assert writer.watch.look() == 0


@pytest.fixture
def role(quiet: World) -> Flask:
    writer = quiet.writer()
    guard = Guard(clock=quiet.clock, pairs=PairSecrets({"ca": SECRET, "app": b"a" * 32}), verifier=None)
    return create(
        "directory",
        site=quiet.site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[web.published(writer.publishing, writer.numbering, guard)],
        translations=[Path(directory.__file__).parent / "translations"],
    )


def test_the_authority_alone_is_told_a_credit_code(role: Flask, quiet: World) -> None:
    client, at = role.test_client(), "/api/v1/organisations/tax-bureau/code"
    headers = {CALLER_HEADER: "ca", SECRET_HEADER: base64.b64encode(SECRET).decode()}
    quiet.clear()
    told = (client.get(at, headers=headers).json or {})["code"]
    assert quiet.writer().numbering.organisation(told) == "tax-bureau"
    assert quiet.recorder.types() == ["directory.number.opened"]
    stranger = {CALLER_HEADER: "app", SECRET_HEADER: base64.b64encode(b"a" * 32).decode()}
    assert client.get(at, headers=stranger).status_code == 403
    assert client.get(at).status_code == 401


def test_the_authority_alone_publishes_over_the_peer_api(
    role: Flask, quiet: World, li_na: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TestPeer.__init__.__globals__["SECRETS"], "ca", SECRET)
    client = PublishingClient(TestPeer(role, "ca"))  # type: ignore[arg-type]  # the one verb of a peer
    client.certificates("people", li_na.subject, [certificate(5)])
    client.authority("people", {"list": revocation_list(5)})
    assert published(quiet, quiet.tree.branch("people"), f"(cn={li_na.name})") == [certificate(5)]
    with pytest.raises(NotFound):
        client.certificates("people", "nobody", [])
    with pytest.raises(Invalid):
        client.certificates("people", li_na.subject, [b"x"])
    address = f"/api/v1/published/people/{li_na.subject}"
    for caller, secret in (("app", b"a" * 32), ("ca", b"x" * 32)):
        headers = {CALLER_HEADER: caller, SECRET_HEADER: base64.b64encode(secret).decode()}
        answer = role.test_client().put(address, json={"certificates": []}, headers=headers)
        assert answer.status_code in (401, 403)
    own = {CALLER_HEADER: "ca", SECRET_HEADER: base64.b64encode(SECRET).decode()}
    bad: list[object] = [{}, {"certificates": "x"}, {"certificates": [1]}, {"certificates": ["@"]}, []]
    for body in bad:
        answer = role.test_client().put(address, json=body, headers=own)
        assert answer.status_code == 400, body
    assert published(quiet, quiet.tree.branch("people"), f"(cn={li_na.name})") == [certificate(5)]
