# SPDX-License-Identifier: Apache-2.0
"""The profiles: strictly read files, and what a certificate of each says."""

import dataclasses
import datetime as dt
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ca.errors import SubjectUnsuitable
from ca.models import ISSUERS, Issued, IssueRequest
from ca.service import CertificateAuthority
from ca.x509 import PROFILES
from ca.x509.profiles import FOLDER, SITE, read_profile, read_profiles
from core.config import ConfigurationError
from directory import Mandate
from tests.fakes.people import CITIZEN, CLERK, COMPANY, KIOSK

from .world import World, ask, loaded, request_for

_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_TEXTS = {each.stem: each.read_text("utf-8") for each in FOLDER.glob("*.toml")}


def test_every_kind_that_a_government_needs_is_there() -> None:
    assert set(PROFILES) == {
        "citizen", "citizen-signing", "civil-servant", "organisation-seal", "organisation-representative",
        "organisation-server", "device-client", "device-server", "server", "ocsp", "timestamp", "remote-signing",
    }  # fmt: skip
    for issuer in ISSUERS:
        assert any(issuer in each.issuers for each in PROFILES.values())


def test_a_number_never_moves_to_another_profile() -> None:
    # What was issued under a number stays what it was; a new profile takes the next one.
    assert {name: each.policy.removeprefix(f"{SITE}.1.") for name, each in PROFILES.items()} == {
        "citizen": "1", "citizen-signing": "2", "civil-servant": "3", "organisation-seal": "4", "device-client": "5",
        "server": "6", "ocsp": "7", "timestamp": "8", "device-server": "9", "organisation-representative": "10",
        "organisation-server": "11", "remote-signing": "12",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('name = "citizen"', 'name = "citizens"', "name of the file"),
        ('name = "citizen"', 'name = "citizen"\ncolour = "red"', "unknown key"),
        ("validity_days = 1095", "", "is missing"),
        ("validity_days = 1095", "validity_days = 0", "validity_days must be"),
        ("validity_days = 1095", 'validity_days = "long"', "must be int"),
        ('policy = "site.1.1"', 'policy = "1.2.3"', "policy must be"),
        ('issuers = ["people"]', "issuers = []", "issuers must be"),
        ('issuers = ["people"]', 'issuers = ["root"]', "issuers must be"),
        ('"P-256", ', '"P-192", ', "keys must be"),
        ('usage = ["digital-signature"]', 'usage = ["crl-sign"]', "must be one of"),
        ('usage = ["digital-signature"]', 'usage = ["key-encipherment"]', "every key of ours signs"),
        ('["digital-signature"]', '["digital-signature", "content-commitment"]', "never commits its holder"),
        ('extended = ["client-auth"]', "extended = []", "extended is empty"),
        ('extended = ["client-auth"]', 'extended = ["any"]', "must be one of"),
        ('extended = ["client-auth"]', 'extended = ["time-stamping"]', "RFC 3161"),
        ('extended = ["client-auth"]', 'extended = ["client-auth", "ocsp-signing"]', "does nothing else"),
        ("approvals = 1", "approvals = 0", "an officer approves"),
        ("approvals = 1", "approvals = 3", "approvals must be"),
        ("approvals = 1", "approvals = 1\nassurance = 4", "assurance must be"),
        ("approvals = 1", "approvals = 1\nno_check = true", "only an OCSP delegate"),
        ('subject = "person"', 'subject = "machine"', "only roles ask for machines"),
        ('value = "urn:uuid:{id}"', 'value = "urn:uuid:{credit}"', "cannot fill"),
        ('value = "urn:uuid:{id}"', 'value = "urn:uuid:{id"', "placeholder"),
        ('attribute = "country"', 'attribute = "common-name"', "country and common name"),
        ('attribute = "serial-number"', 'attribute = "country"', "twice"),
        ("reason = ", 'reason = ""\nwhy = ', "unknown key"),
        ("[[names]]", "[[names", "Expected"),
    ],
)
def test_a_file_that_cannot_be_is_refused(old: str, new: str, why: str) -> None:
    text = _TEXTS["citizen"]
    assert old in text
    with pytest.raises(ConfigurationError) as caught:
        read_profile(text.replace(old, new, 1), name="citizen")
    assert why in str(caught.value.parameters["why"])


def test_two_profiles_of_one_policy_and_an_issuer_without_one_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="belongs to another"):
        read_profiles({**_TEXTS, "server": _TEXTS["server"].replace("site.1.6", "site.1.5")})
    kept = {
        name: text for name, text in _TEXTS.items() if name not in ("organisation-seal", "organisation-server", "ocsp")
    }
    with pytest.raises(ConfigurationError, match="has no profile"):
        read_profiles(kept)


def test_a_policy_may_lie_below_the_uuid_arc() -> None:
    text = _TEXTS["citizen"].replace('"site.1.1"', '"2.25.302895173846028398462837462837462837.4"')
    assert read_profile(text, name="citizen").policy.endswith(".4")


def test_a_civil_servants_card_logs_in_to_workstations(authority: CertificateAuthority) -> None:
    certificate = loaded(authority.issue(ask("civil-servant", subject=CLERK.subject)))
    extended = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SMARTCARD_LOGON]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    principals = [each for each in names.get_values_for_type(x509.OtherName) if each.type_id == _UPN]
    assert [each.value for each in principals] == [b"\x0c\x14li.na@city.localhost"]
    assert _attribute(certificate, NameOID.ORGANIZATION_NAME) == "税务局"


def _mandated(world: World, until: dt.date) -> None:
    mandate = Mandate(organisation=COMPANY.id, scope="all", until=until)
    world.directory.people[CITIZEN.subject] = dataclasses.replace(CITIZEN, mandates=(mandate,))


def _represent(authority: CertificateAuthority, organisation: str) -> Issued:
    asked = ask("organisation-representative")
    return authority.issue(dataclasses.replace(asked, organisation=organisation))


def test_a_representative_stands_for_the_organisation_as_long_as_the_mandate(
    world: World, authority: CertificateAuthority
) -> None:
    last = world.clock.now().date() + dt.timedelta(days=30)
    _mandated(world, last)
    certificate = loaded(_represent(authority, COMPANY.id))
    assert _attribute(certificate, NameOID.ORGANIZATION_NAME) == COMPANY.name_zh
    assert _attribute(certificate, NameOID.ORGANIZATION_IDENTIFIER) == f"NTRCN-{COMPANY.credit_code}"
    assert _attribute(certificate, NameOID.COMMON_NAME) == CITIZEN.name_zh
    assert certificate.not_valid_after_utc == datetime.combine(last, dt.time(23, 59, 59), UTC)


@pytest.mark.parametrize(("organisation", "days"), [(COMPANY.id, -1), ("tax-bureau", 30), ("", 30)])
def test_nobody_stands_for_an_organisation_without_its_mandate(
    world: World, authority: CertificateAuthority, organisation: str, days: int
) -> None:
    _mandated(world, world.clock.now().date() + dt.timedelta(days=days))
    with pytest.raises(SubjectUnsuitable):
        _represent(authority, organisation)


def test_only_a_representative_stands_for_an_organisation(authority: CertificateAuthority) -> None:
    with pytest.raises(SubjectUnsuitable):
        authority.issue(dataclasses.replace(ask(), organisation=COMPANY.id))


def test_a_device_answers_under_hosts_of_the_site(authority: CertificateAuthority) -> None:
    asked = _device_server("meter.city.localhost", "127.0.0.1")
    names = loaded(authority.issue(asked)).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["meter.city.localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"urn:uuid:{KIOSK.id}"]
    for hosts in ((), ("evil.example",)):
        with pytest.raises(SubjectUnsuitable):
            authority.issue(_device_server(*hosts))


def _device_server(*hosts: str) -> IssueRequest:
    return dataclasses.replace(ask("device-server", subject=KIOSK.id, csr=request_for()), hosts=hosts)


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str | bytes:
    return certificate.subject.get_attributes_for_oid(oid)[0].value
