# SPDX-License-Identifier: Apache-2.0
"""Revocation lists: shards, deltas, leases, and what other people's programs make of them."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from ca import CASettings
from ca.errors import IssuerUnusable, NoSuchIssuer
from ca.models import Issued, Reason, Standing
from ca.service import CertificateAuthority, publication
from ca.x509.lint import Linter, Seal
from ca.x509.lists import ListDraft, Withdrawn, entry, read_entry, removal
from ca.x509.signing import algorithm_identifier, framed
from tests.fakes.people import OFFICER

from .world import World, ask, intent, list_of, loaded, shard_of


def _read(der: bytes) -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(der)


def _number(der: bytes) -> int:
    return _read(der).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _base(der: bytes) -> int:
    return _read(der).extensions.get_extension_for_class(x509.DeltaCRLIndicator).value.crl_number


def _issuer(world: World, name: str = "people") -> x509.Certificate:
    return x509.load_pem_x509_certificate((world.site.public / "issuers" / f"{name}.pem").read_bytes())


def test_a_list_says_whose_certificates_it_holds_as_they_say_where_it_is(
    world: World, authority: CertificateAuthority
) -> None:
    issued = authority.issue(ask())
    named = loaded(issued).extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name
    for delta in (False, True):
        crl = _read(list_of(authority, issued, delta=delta))
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
        assert scope.critical
        assert scope.value.full_name == named
        key = _issuer(world).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert crl.is_signature_valid(key)
    freshest = _read(list_of(authority, issued)).extensions.get_extension_for_class(x509.FreshestCRL)
    assert freshest.value[0].full_name is not None
    assert freshest.value[0].full_name[0].value.endswith(f"/crl/people/{shard_of(issued)}-delta.crl")
    indicator = _read(list_of(authority, issued, delta=True)).extensions.get_extension_for_oid(
        ExtensionOID.DELTA_CRL_INDICATOR
    )
    assert indicator.critical


def test_a_revocation_stands_on_its_own_list_and_on_the_whole(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    authority.revoke(issued.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    holding = [shard for shard in authority.shards("people") if len(_read(authority.crl("people", shard).der))]
    assert holding == [0, shard_of(issued)] == [0, world.store.certificate(issued.serial).shard]


def test_a_shard_stays_when_the_setting_changes(world: World, authority: CertificateAuthority) -> None:
    issued = [authority.issue(ask()) for _ in range(8)]
    widest = max(issued, key=shard_of)
    assert shard_of(widest) > 1
    authority.revoke(widest.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    world.settings = CASettings(crl_shards=1)
    fewer = world.open()
    assert shard_of(fewer.issue(ask())) == 1
    assert [each.serial_number for each in _read(list_of(fewer, widest))] == [int(widest.serial, 16)]


def test_a_certificate_of_before_there_were_shards_keeps_its_list(
    world: World, authority: CertificateAuthority
) -> None:
    world.store.intend(intent("abc", at=world.clock.now()))
    authority.revoke("abc", reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    crl = _read(authority.crl("people").der)
    assert [each.serial_number for each in crl] == [0xABC]
    # It holds everything, so it has no limits to tell of, and no delta.
    for kind in (x509.IssuingDistributionPoint, x509.FreshestCRL):
        with pytest.raises(x509.ExtensionNotFound):
            crl.extensions.get_extension_for_class(kind)
    with pytest.raises(NoSuchIssuer):
        authority.crl("people", delta=True)
    after = authority.issue(ask())
    authority.suspend(after.serial, actor=OFFICER.subject)
    assert set(_reasons(authority.crl("people").der)) == {"abc", after.serial}
    authority.release(after.serial, actor=OFFICER.subject)
    assert set(_reasons(authority.crl("people").der)) == {"abc"}


def test_rows_of_an_older_release_are_listed_without_their_bytes(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    authority.revoke(issued.serial, reason=Reason.CESSATION, actor=OFFICER.subject)
    with world.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE revocations SET entry = ''")
    (found,) = _read(list_of(authority, issued))
    assert read_entry(found).reason is Reason.CESSATION


def test_a_delta_holds_what_changed_since_every_list_that_may_still_be_held(
    world: World, authority: CertificateAuthority
) -> None:
    first, second = _two_of_one_shard(authority)
    oldest = list_of(authority, first)
    assert len(_read(list_of(authority, first, delta=True))) == 0
    authority.suspend(first.serial, actor=OFFICER.subject)
    world.clock.advance(timedelta(minutes=10))
    newer = list_of(authority, first)
    authority.revoke(second.serial, reason=Reason.KEY_COMPROMISE, actor=OFFICER.subject)
    delta = list_of(authority, first, delta=True)
    # Whoever holds the older full list can go on from it as well as who holds the newer.
    assert _base(delta) == _number(oldest) < _number(newer) < _number(delta)
    assert _reasons(delta) == {first.serial: "certificateHold", second.serial: "keyCompromise"}
    authority.release(first.serial, actor=OFFICER.subject)
    released = list_of(authority, first, delta=True)
    assert _reasons(released) == {first.serial: "removeFromCRL", second.serial: "keyCompromise"}
    assert _number(released) > _number(delta)
    assert _reasons(list_of(authority, first)) == {second.serial: "keyCompromise"}
    authority.suspend(first.serial, actor=OFFICER.subject)
    assert _reasons(list_of(authority, first, delta=True))[first.serial] == "certificateHold"
    # When the oldest list has ended, its changes are on every list that has not.
    world.clock.advance(timedelta(hours=13))
    list_of(authority, first)
    world.clock.advance(timedelta(hours=12))
    assert _reasons(list_of(authority, first, delta=True)) == {}


def test_the_whole_list_has_a_delta_where_the_settings_say_so(world: World) -> None:
    with pytest.raises(NoSuchIssuer):
        world.open().crl("people", delta=True)
    plain = _read(world.open().crl("people").der)
    with pytest.raises(x509.ExtensionNotFound):
        plain.extensions.get_extension_for_class(x509.FreshestCRL)
    world.settings = CASettings(whole_deltas=True)
    authority = world.open()
    before, kept, held = (authority.issue(ask()) for _ in range(3))
    authority.revoke(before.serial, reason=Reason.SUPERSEDED, actor="x")
    authority.suspend(held.serial, actor="x")
    full = authority.crl("people").der
    address = _read(full).extensions.get_extension_for_class(x509.FreshestCRL).value[0].full_name
    assert address is not None
    assert address[0].value.endswith("/crl/people-delta.crl")
    assert _read(authority.crl("people", delta=True).der).next_update_utc == world.clock.now().replace(
        microsecond=0
    ) + timedelta(hours=1)
    world.clock.advance(timedelta(minutes=5))
    authority.release(held.serial, actor="x")
    others = [authority.issue(ask()) for _ in range(4)]
    for each in (kept, *others):
        authority.revoke(each.serial, reason=Reason.KEY_COMPROMISE, actor="x")
    delta = authority.crl("people", delta=True).der
    # What stood on the full list already is not repeated, whatever shard it is of, and nothing else is missing.
    assert _base(delta) <= _number(full)
    told = _reasons(delta)
    assert set(told) >= {each.serial for each in (kept, held, *others)}
    assert told[held.serial] == "removeFromCRL"
    delta_only = _read(delta)
    with pytest.raises(x509.ExtensionNotFound):
        delta_only.extensions.get_extension_for_class(x509.FreshestCRL)
    with pytest.raises(x509.ExtensionNotFound):
        delta_only.extensions.get_extension_for_class(x509.IssuingDistributionPoint)


def test_a_delta_to_a_whole_list_holds_nothing_that_list_holds(world: World) -> None:
    world.settings = CASettings(whole_deltas=True)
    authority = world.open()
    first, second = authority.issue(ask()), authority.issue(ask())
    authority.revoke(first.serial, reason=Reason.SUPERSEDED, actor="x")
    authority.crl("people")
    world.clock.advance(timedelta(hours=25))
    full = authority.crl("people").der
    authority.revoke(second.serial, reason=Reason.SUPERSEDED, actor="x")
    delta = authority.crl("people", delta=True).der
    assert _base(delta) == _number(full)
    assert set(_reasons(delta)) == {second.serial}


def test_a_delta_is_renewed_at_half_its_life(world: World, authority: CertificateAuthority) -> None:
    issued = authority.issue(ask())
    before = list_of(authority, issued, delta=True)
    assert list_of(authority, issued, delta=True) == before
    world.clock.advance(timedelta(minutes=31))
    after = _read(list_of(authority, issued, delta=True))
    assert after.next_update_utc == after.last_update_utc + timedelta(hours=1)
    assert after.last_update_utc > _read(before).last_update_utc


def test_a_large_list_rests_and_its_delta_does_not(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publication, "LARGE", 100)
    first, second = _two_of_one_shard(authority)
    authority.revoke(first.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    assert set(_reasons(list_of(authority, first))) == {first.serial}
    authority.revoke(second.serial, reason=Reason.SUPERSEDED, actor=OFFICER.subject)
    assert set(_reasons(list_of(authority, first))) == {first.serial}
    assert second.serial in _reasons(list_of(authority, first, delta=True))
    world.clock.advance(publication.PAUSE)
    assert set(_reasons(list_of(authority, first))) == {first.serial, second.serial}


def test_while_another_process_makes_a_list_the_one_before_is_given_out(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = authority.issue(ask())
    before = list_of(authority, issued)
    authority.suspend(issued.serial, actor=OFFICER.subject)
    assert world.store.lease("people", shard_of(issued), holder="another", at=world.clock.now())
    assert not world.store.lease("people", shard_of(issued), holder="third", at=world.clock.now())
    assert list_of(authority, issued) == before
    # It died: its lease ends.
    world.clock.advance(timedelta(seconds=31))
    assert _reasons(list_of(authority, issued)) == {issued.serial: "certificateHold"}
    # Without a list that is still valid, waiting is all there is.
    monkeypatch.setattr(publication, "_WAIT", 0.001)
    world.clock.advance(timedelta(hours=25))
    assert world.store.lease("people", shard_of(issued), holder="another", at=world.clock.now())
    with pytest.raises(IssuerUnusable):
        list_of(authority, issued)
    world.store.give_back("people", shard_of(issued), holder="third")
    with pytest.raises(IssuerUnusable):
        list_of(authority, issued)
    world.store.give_back("people", shard_of(issued), holder="another")
    list_of(authority, issued)


def test_what_lint_objects_to_is_not_published(
    world: World, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = authority.issue(ask())
    before = list_of(authority, issued)
    authority.suspend(issued.serial, actor=OFFICER.subject)
    findings = [("pkix.some_rule", "broken")]
    monkeypatch.setattr(Linter, "list_findings", lambda *_: findings)
    assert list_of(authority, issued) == before
    world.clock.advance(timedelta(hours=25))
    with pytest.raises(IssuerUnusable):
        list_of(authority, issued)
    findings.clear()
    assert _reasons(list_of(authority, issued)) == {issued.serial: "certificateHold"}


@pytest.mark.parametrize("shard", [9, 4096, 10**30])
def test_there_are_no_other_lists(authority: CertificateAuthority, shard: int) -> None:
    for issuer in ("people", "root", "nobody"):
        with pytest.raises(NoSuchIssuer):
            authority.crl(issuer, shard)
    with pytest.raises(NoSuchIssuer):
        authority.crl("root", delta=True)


def test_programs_of_others_read_list_and_delta(world: World, authority: CertificateAuthority, tmp_path: Path) -> None:
    held, good = _two_of_one_shard(authority)
    full = list_of(authority, held)
    authority.suspend(held.serial, actor=OFFICER.subject)
    delta = list_of(authority, held, delta=True)
    issuer = world.site.public / "issuers" / "people.pem"
    for name, der in (("full", full), ("delta", delta)):
        path = tmp_path / f"{name}.crl"
        path.write_bytes(der)
        shown = _run("openssl", "crl", "-in", path, "-inform", "DER", "-noout", "-text", "-CAfile", issuer)
        assert "verify OK" in shown.stderr, shown.stderr
        assert ("Delta CRL Indicator" in shown.stdout) is (name == "delta")
        # GnuTLS looks at the real clock; the site lives on its own, so only its reading counts here.
        shown = _run("certtool", "--crl-info", "--inder", "--infile", path)
        assert shown.returncode == 0, shown.stderr
        assert ("(certificateHold)" in shown.stdout or held.serial in shown.stdout.replace(":", "")) is (
            name == "delta"
        ), shown.stdout
        path.with_suffix(".pem").write_bytes(_read(der).public_bytes(Encoding.PEM))
    crls = ["-CRLfile", str(tmp_path / "full.pem"), "-CRLfile", str(tmp_path / "delta.pem")]
    for issued, expected in ((good, 0), (held, 2)):
        leaf = tmp_path / "leaf.pem"
        leaf.write_bytes(issued.certificate)
        at = str(int(world.clock.now().timestamp()))
        common = ["openssl", "verify", "-crl_check", "-extended_crl", "-attime", at]
        common += ["-CAfile", str(world.site.public / "root.pem"), "-untrusted", str(issuer)]
        done = _run(*common, "-use_deltas", *crls, str(leaf))
        assert done.returncode == expected, done.stdout + done.stderr
        # Without the delta, the old full list does not know.
        assert _run(*common, *crls[:2], str(leaf)).returncode == 0


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, timeout=30)


def _two_of_one_shard(authority: CertificateAuthority) -> tuple[Issued, Issued]:
    """One holder's; of nine certificates two share one of eight lists."""
    seen: dict[int, Issued] = {}
    while True:
        issued = authority.issue(ask())
        other = seen.setdefault(shard_of(issued), issued)
        if other is not issued:
            return other, issued


def _reasons(der: bytes) -> dict[str, str]:
    return {format(each.serial_number, "x"): _reason(each) for each in _read(der)}


def _reason(revoked: x509.RevokedCertificate) -> str:
    try:
        return revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except x509.ExtensionNotFound:
        return ""


_moments = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given a zone there
_withdrawn = st.builds(
    Withdrawn,
    serial=st.integers(min_value=1, max_value=2**159 - 1),
    standing=st.sampled_from([Standing.SUSPENDED, Standing.REVOKED]),
    at=_moments.map(lambda at: at.replace(microsecond=0)),
    reason=st.sampled_from(list(Reason)),
)


@given(each=st.lists(_withdrawn, max_size=12, unique_by=lambda each: each.serial), number=st.integers(1, 2**63))
def test_what_is_written_is_read_by_others_as_it_was_meant(each: Sequence[Withdrawn], number: int) -> None:
    draft, der = _signed(each, number=number)
    crl = _read(der)
    assert crl.is_signature_valid(_KEY.public_key())
    assert crl.last_update_utc == draft.at
    assert crl.next_update_utc == draft.until
    assert _number(der) == number
    for meant, found in zip(each, crl, strict=True):
        read = read_entry(found)
        assert (read.serial, read.standing, read.at) == (meant.serial, meant.standing, meant.at)
        assert meant.standing is Standing.SUSPENDED or read.reason is meant.reason


def test_lint_of_the_sample_is_lint_of_the_whole() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    each = [
        Withdrawn(serial=7 << shift, standing=standing, at=when, reason=reason)
        for shift in range(0, 150, 3)
        for standing in (Standing.SUSPENDED, Standing.REVOKED)
        for reason in Reason
        for when in (at, at.replace(year=2055))
    ]
    draft, der = _signed(each)
    assert Linter(Seal()).list_findings(der) == []
    shapes = {(len(found), found[-1]) for found in draft.entries}
    sample = draft.sample()
    assert {(len(found), found[-1]) for found in sample.entries} == shapes
    assert len(sample.entries) <= len(shapes) + 8


_WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("broken", [b"", b"\x30\x00", b"\x31" + removal(1, _WHEN)[1:], removal(1, _WHEN) + b"\0"])
def test_what_is_no_entry_is_not_signed(broken: bytes) -> None:
    draft, _ = _signed(())
    entries = (removal(1, _WHEN), broken)
    with pytest.raises(ValueError, match="no entry"):
        replace(draft, entries=entries).tbs(b"")


def test_the_signer_signs_no_list_of_another(world: World, authority: CertificateAuthority) -> None:
    now = world.clock.now()
    draft = ListDraft(issuer=_issuer(world, "devices"), number=1, at=now, until=now)
    with pytest.raises(NoSuchIssuer):
        authority._signer.crl(draft, issuer="people")


_KEY = ec.generate_private_key(ec.SECP256R1())


def _signed(each: Sequence[Withdrawn], *, number: int = 1) -> tuple[ListDraft, bytes]:
    """A list under a key of the test's."""
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "示范市 CA")])
    issuer = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(1)
        .public_key(_KEY.public_key())
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=9000))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(_KEY.public_key()), critical=False)
        .sign(_KEY, hashes.SHA256())
    )
    draft = ListDraft(
        issuer=issuer,
        number=number,
        at=at,
        until=at + timedelta(hours=24),
        entries=[entry(one) for one in each],
        point="http://pki.city.localhost:8080/crl/people/1.crl",
        freshest="http://pki.city.localhost:8080/crl/people/1-delta.crl",
    )
    algorithm = algorithm_identifier(_KEY.public_key())
    tbs = draft.tbs(algorithm)
    return draft, framed(tbs, algorithm, _KEY.sign(tbs, ec.ECDSA(hashes.SHA256())))
