# SPDX-License-Identifier: Apache-2.0
"""Trust lists are signed, numbered, in time, and remember: who was trusted then is trusted for what was proved then."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lxml import etree
from signxml import methods
from signxml.algorithms import DigestAlgorithm
from signxml.xades.xades import XAdESSigner

from app.cli.trust import trust_list
from audit import Outcome, RecordUnavailable
from signatures.errors import ListRefused
from signatures.formats import inspect
from signatures.models import Overall, Profile, Trust, Verdict
from signatures.pades.grounds import Grounds
from signatures.service import FollowedLists, Following
from signatures.trustlists import Entry, TrustList, merged, read_all, read_etsi, read_own, read_pointers, written
from signatures.verdict import judge
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents, made, stamper
from tests.signatures.pki import DAY, NOW, City, Leaf

KEY = ec.generate_private_key(ec.SECP256R1())
SIGNED = NOW - 10 * DAY


def entries(city: City, *, until: datetime | None = None) -> tuple[Entry, ...]:
    issuer = Entry(
        certificate=made.own(city.organisations.certificate), authority="organisations", signs=True, until=until
    )
    return (Entry(certificate=made.own(city.root.certificate)), issuer)


def a_list(
    found: Sequence[Entry], *, number: int = 7, issued: datetime = NOW - DAY, lasts: timedelta = 7 * DAY
) -> TrustList:
    return TrustList(name="jiangcheng", number=number, issued=issued, next_issue=issued + lasts, entries=tuple(found))


def look(document: bytes, trust: Trust, city: City) -> Verdict:
    found = inspect(document, grounds=Grounds(trust, city.lists()), profile=Profile.STRICT, at=NOW)
    return judge(document, found, profile=Profile.STRICT, at=NOW)


@pytest.fixture(scope="module")
def unit(city: City) -> Leaf:
    return stamper.unit(city.people)


def test_a_list_is_read_back_as_it_was_written(city: City) -> None:
    whole = a_list(entries(city, until=NOW))
    assert read_own(written(whole, KEY), KEY.public_key(), at=NOW) == whole


def test_a_list_that_is_not_its_keepers_or_not_in_time_is_refused(city: City) -> None:
    good = written(a_list(entries(city)), KEY)
    other = ec.generate_private_key(ec.SECP256R1())
    head, body, signature = good.split(b".")
    changed = base64.urlsafe_b64encode(base64.urlsafe_b64decode(body + b"==").replace(b"true", b"null")).rstrip(b"=")
    for document, key, at, newest, why in (
        (good, other, NOW, 0, "signature"),
        (b".".join((head, changed, signature)), KEY, NOW, 0, "signature"),
        (good, KEY, NOW + 7 * DAY, 0, "overdue"),
        (good, KEY, NOW - 2 * DAY, 0, "overdue"),
        (good, KEY, NOW, 8, "older"),
        (good + b".x", KEY, NOW, 0, "form"),
        (b"", KEY, NOW, 0, "form"),
    ):
        with pytest.raises(ListRefused) as caught:
            read_own(document, key.public_key(), at=at, newest=newest)
        assert caught.value.why == why


def test_what_was_trusted_then_is_trusted_for_what_was_proved_then(city: City, leaf: Leaf, unit: Leaf) -> None:
    stamped = made.cades(made.LETTER, [leaf], at=SIGNED, by=unit)
    bare = made.cades(made.LETTER, [leaf], at=SIGNED)
    people = Entry(certificate=made.own(city.people.certificate), authority="people", signs=True)
    ended_after = a_list([*entries(city, until=NOW - DAY), people]).trust()
    assert look(stamped, ended_after, city).overall is Overall.TRUSTED
    assert look(bare, ended_after, city).signatures[0].issuer.code == "issuer_broken"
    ended_before = a_list([*entries(city, until=SIGNED - DAY), people]).trust()
    assert look(stamped, ended_before, city).signatures[0].issuer.code == "issuer_broken"


def test_another_list_cannot_lengthen_what_ours_ended(city: City, leaf: Leaf) -> None:
    bare = made.cades(made.LETTER, [leaf], at=SIGNED)
    ours, theirs = a_list(entries(city, until=NOW - DAY)).trust(), a_list(entries(city)).trust()
    assert look(bare, theirs, city).overall is Overall.TRUSTED
    assert look(bare, merged([("ours", ours), ("theirs", theirs)]), city).overall is Overall.NOT_TRUSTED


@pytest.mark.parametrize(
    "theirs",
    [
        {"until": NOW - 20 * DAY},
        {"since": NOW + DAY},
        {"only": "stamp"},
        {"until": NOW - 20 * DAY, "authority": "root"},
    ],
)
def test_another_list_cannot_end_what_ours_trusts(theirs: dict[str, Any], city: City, leaf: Leaf) -> None:
    signed = made.cades(made.LETTER, [leaf], at=SIGNED)
    own, root = city.trust(), Entry(certificate=made.own(city.root.certificate), **theirs)
    assert look(signed, a_list([root]).trust(), city).overall is not Overall.TRUSTED
    assert look(signed, merged([("", own), ("harbour", a_list([root]).trust())]), city).overall is Overall.TRUSTED


@pytest.mark.parametrize("authority", ["", "machines"])
def test_another_list_lets_nobody_sign_whom_ours_does_not(authority: str, city: City) -> None:
    device = made.cades(made.LETTER, [city.devices.leaf("Router")], at=SIGNED)
    entry = Entry(certificate=made.own(city.devices.certificate), authority=authority, signs=True, only="sign")
    joined = merged([("", city.trust()), ("harbour", a_list([entry]).trust())])
    assert look(device, joined, city).signatures[0].issuer.code == "wrong_purpose"


def test_what_ours_trusts_for_longer_than_a_state_does_is_qualified_no_more(city: City) -> None:
    keeper, name = city.people.leaf("Keeper"), hashlib.sha256(made.own(city.root.certificate)).hexdigest()
    for withdrawn, qualified in ((None, True), (NOW - DAY, False)):
        listed = read_etsi(state_list(city, keeper, withdrawn=withdrawn), [made.der(keeper)], at=NOW)
        assert (name in merged([("", city.trust()), ("state", listed)]).qualified) is qualified


def test_a_root_of_another_list_is_told_by_its_list_too(city: City, leaf: Leaf) -> None:
    abroad = City()
    for listed in (abroad.root, abroad.organisations):
        entry = Entry(certificate=made.own(listed.certificate), only="sign")
        joined = merged([("", city.trust()), ("harbour", a_list([entry]).trust())])
        for signer, told in ((leaf, []), (abroad.seal(), ["harbour"])):
            document = made.cades(made.LETTER, [signer], at=SIGNED)
            grounds = Grounds(joined, [*city.lists(), *abroad.lists()])
            found = inspect(document, grounds=grounds, profile=Profile.STRICT, at=NOW)
            verdict = judge(document, found, profile=Profile.STRICT, at=NOW)
            assert verdict.overall is Overall.TRUSTED
            named = [each.words.parameters["list"] for each in verdict.problems if each.code == "issuer_of_another"]
            assert named == told


def test_an_issuer_of_another_list_is_told_by_its_list_for_its_name_may_be_ours(city: City, leaf: Leaf) -> None:
    abroad = City()
    joined = merged([("", city.trust()), ("harbour", abroad.trust())])
    lists = [*city.lists(), *abroad.lists()]
    for signer, told in ((leaf, []), (abroad.seal(), ["harbour"])):
        document = made.cades(made.LETTER, [signer], at=SIGNED)
        found = inspect(document, grounds=Grounds(joined, lists), profile=Profile.STRICT, at=NOW)
        verdict = judge(document, found, profile=Profile.STRICT, at=NOW)
        assert verdict.overall is Overall.TRUSTED
        named = [each.words.parameters["list"] for each in verdict.problems if each.code == "issuer_of_another"]
        assert named == told


def state_list(
    city: City, keeper: Leaf, *, due: datetime = NOW + DAY, beside: Sequence[str] = (), **service: Any
) -> bytes:
    """With one service for the city's root, and others ``beside``."""
    listed = "".join([a_service(city, **service), *beside])
    text = (
        '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"><SchemeInformation><NextUpdate>'
        f"<dateTime>{due:%Y-%m-%dT%H:%M:%SZ}</dateTime></NextUpdate></SchemeInformation><TrustServiceProviderList>"
        f"<TrustServiceProvider><TSPServices>{listed}</TSPServices></TrustServiceProvider></TrustServiceProviderList>"
        "</TrustServiceStatusList>"
    )
    return signed_list(text, keeper)


def a_service(
    city: City, *, withdrawn: datetime | None = None, kind: str = "CA/QC", listed: bytes | None = None
) -> str:
    base = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
    granted = (
        f"<ServiceStatus>{base}granted</ServiceStatus><StatusStartingTime>2020-01-01T00:00:00Z</StatusStartingTime>"
    )
    ended = withdrawn and (
        f"<ServiceStatus>{base}withdrawn</ServiceStatus>"
        f"<StatusStartingTime>{withdrawn:%Y-%m-%dT%H:%M:%SZ}</StatusStartingTime>"
    )
    identity = base64.b64encode(listed or made.own(city.root.certificate)).decode()
    past = f"<ServiceHistory><ServiceHistoryInstance>{granted}</ServiceHistoryInstance></ServiceHistory>"
    return (
        "<TSPService><ServiceInformation>"
        f"<ServiceTypeIdentifier>http://uri.etsi.org/TrstSvc/Svctype/{kind}</ServiceTypeIdentifier>"
        f"<ServiceDigitalIdentity><DigitalId><X509Certificate>{identity}</X509Certificate></DigitalId>"
        f"</ServiceDigitalIdentity>{ended or granted}</ServiceInformation>{past if ended else ''}</TSPService>"
    )


def signed_list(text: str, keeper: Leaf) -> bytes:
    signer = XAdESSigner(
        method=methods.enveloped, digest_algorithm=DigestAlgorithm.SHA256, signature_algorithm="ecdsa-sha256"
    )
    root = signer.sign(etree.fromstring(text), key=keeper.key, cert=keeper.pem.decode())
    found: bytes = etree.tostring(root)
    return found


def test_the_list_of_a_state_is_read_with_its_history_if_its_keeper_signed_it(city: City, leaf: Leaf) -> None:
    keeper, stranger = city.people.leaf("Keeper"), city.people.leaf("Stranger")
    signed = made.cades(made.LETTER, [leaf], at=SIGNED)
    good = read_etsi(state_list(city, keeper), [made.der(keeper)], at=NOW)
    assert look(signed, good, city).overall is Overall.TRUSTED
    ended = read_etsi(state_list(city, keeper, withdrawn=NOW - DAY), [made.der(keeper)], at=NOW)
    assert ended.periods[hashlib.sha256(made.own(city.root.certificate)).hexdigest()][1] == NOW - DAY
    assert look(signed, ended, city).signatures[0].issuer.code == "issuer_broken"
    for document, why in (
        (state_list(city, stranger), "signature"),
        (state_list(city, keeper).replace(b"granted", b"grantee"), "signature"),
        (state_list(city, keeper, due=NOW - DAY), "overdue"),
        (b"<x/>", "signature"),
        (b"no", "form"),
    ):
        with pytest.raises(ListRefused) as caught:
            read_etsi(document, [made.der(keeper)], at=NOW)
        assert caught.value.why == why


def test_an_issuer_that_the_keeper_did_not_sign_is_not_on_a_state_s_list(city: City) -> None:
    """A signature has room in it that it does not cover; who carries the list could name himself there."""
    keeper, carrier = city.people.leaf("Keeper"), City()
    ds, xades = "{http://www.w3.org/2000/09/xmldsig#}", "{http://uri.etsi.org/01903/v1.3.2#}"
    whole, theirs = state_list(city, keeper), state_list(carrier, keeper)
    named = "{http://uri.etsi.org/02231/v2#}TSPService"
    for into in ((f"{ds}Signature", f"{ds}Object"),
                 (f"{xades}QualifyingProperties", *(f"{xades}Unsigned{each}" for each in (
                     "Properties", "DataObjectProperties", "DataObjectProperty")))):  # fmt: skip
        root = etree.fromstring(whole)
        place = next(root.iter(into[0]))
        for name in into[1:]:
            place = etree.SubElement(place, name)
        place.append(next(etree.fromstring(theirs).iter(named)))
        with pytest.raises(ListRefused) as caught:
            read_etsi(etree.tostring(root), [made.der(keeper)], at=NOW)
        assert caught.value.why == "signature"
    # Nor does a comment cut a word of it short.
    with pytest.raises(ListRefused):
        read_etsi(whole.replace(b"granted", b"granted<!-- -->"), [made.der(keeper)], at=NOW)
    assert len(read_etsi(whole, [made.der(keeper)], at=NOW).roots) == 1


def test_who_is_listed_for_stamps_vouches_for_no_signer_and_the_other_way_round(city: City, leaf: Leaf) -> None:
    keeper, unit = city.people.leaf("Keeper"), stamper.unit(city.people)
    stamped = made.cades(made.LETTER, [leaf], at=SIGNED, by=unit)
    for_signers = read_etsi(state_list(city, keeper), [made.der(keeper)], at=NOW)
    for_stamps = read_etsi(state_list(city, keeper, kind="TSA/QTST"), [made.der(keeper)], at=NOW)
    the_unit = read_etsi(state_list(city, keeper, kind="TSA", listed=made.der(unit)), [made.der(keeper)], at=NOW)
    assert look(stamped, for_stamps, city).signatures[0].issuer.code == "issuer_unknown"
    alone = look(stamped, for_signers, city)
    assert (alone.overall, alone.signatures[0].valid.code) == (Overall.TRUSTED, "valid")
    assert "stamp_unconfirmed" in {each.code for each in alone.problems}
    both = look(stamped, merged([("signers", for_signers), ("unit", the_unit)]), city)
    assert (both.overall, both.signatures[0].valid.code) == (Overall.TRUSTED, "valid_then")
    own = a_list([*(replace(each, only="stamp") for each in entries(city))]).trust()
    assert look(stamped, own, city).signatures[0].issuer.code == "issuer_unknown"


def test_a_state_s_list_beside_the_site_s_own_trust_serves_its_own_signers(city: City) -> None:
    keeper, abroad = city.people.leaf("Keeper"), City()
    signed = made.cades(made.LETTER, [abroad.seal()], at=SIGNED)
    theirs = read_etsi(state_list(abroad, keeper), [made.der(keeper)], at=NOW)
    joined = merged([("", city.trust()), ("abroad", theirs)])
    found = inspect(signed, grounds=Grounds(joined, [*city.lists(), *abroad.lists()]), profile=Profile.STRICT, at=NOW)
    assert judge(signed, found, profile=Profile.STRICT, at=NOW).overall is Overall.TRUSTED
    device = made.cades(made.LETTER, [city.devices.leaf("Router")], at=SIGNED)
    # What ours does not let sign, theirs does not either.
    assert look(device, joined, city).signatures[0].issuer.code == "wrong_purpose"


def test_a_service_that_ended_does_not_go_on_by_another_of_the_same_certificate(city: City, leaf: Leaf) -> None:
    keeper, name = city.people.leaf("Keeper"), hashlib.sha256(made.own(city.root.certificate)).hexdigest()
    signed, ended = made.cades(made.LETTER, [leaf], at=SIGNED), NOW - DAY
    for first, second, code, qualified in (
        ("CA/QC", "TSA/QTST", "issuer_broken", True),
        # The same purpose, but no longer supervised for it.
        ("CA/QC", "CA/PKC", "issuer_trusted", False),
        ("CA/PKC", "CA/QC", "issuer_trusted", True),
    ):
        other = a_service(city, kind=second)
        for listed in (
            state_list(city, keeper, kind=first, withdrawn=ended, beside=[other]),
            state_list(city, keeper, kind=second, beside=[a_service(city, kind=first, withdrawn=ended)]),
        ):
            trust = read_etsi(listed, [made.der(keeper)], at=NOW)
            assert look(signed, trust, city).signatures[0].issuer.code == code, (first, second)
            assert (name in trust.qualified) is qualified, (first, second)


def test_qualified_is_said_only_where_list_and_certificate_say_so(city: City) -> None:
    keeper = city.people.leaf("Keeper")
    statement = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3"), bytes.fromhex("300a3008060604008e460101")
    )
    plain = city.organisations.leaf("Seal")
    builder = x509.CertificateBuilder(
        city.organisations.subject,
        plain.certificate.subject,
        plain.key.public_key(),
        plain.certificate.serial_number,
        NOW - 30 * DAY,
        NOW + 30 * DAY,
        [*plain.certificate.extensions, x509.Extension(statement.oid, critical=False, value=statement)],
    )
    qualified = Leaf(plain.key, builder.sign(city.organisations.key, hashes.SHA256()), plain.chain)
    listed = read_etsi(state_list(city, keeper), [made.der(keeper)], at=NOW)
    unsupervised = read_etsi(state_list(city, keeper, kind="CA/PKC"), [made.der(keeper)], at=NOW)
    for leaf, trust, said in (
        (qualified, listed, True),
        (plain, listed, False),
        (qualified, unsupervised, False),
        (qualified, city.trust(), False),
    ):
        verdict = look(made.cades(made.LETTER, [leaf], at=SIGNED), trust, city)
        assert verdict.overall is Overall.TRUSTED
        assert ("qualified" in {each.code for each in verdict.problems}) is said


def test_a_list_of_lists_leads_only_to_lists_by_whom_it_names(city: City, leaf: Leaf) -> None:
    keeper, abroad, stranger = (city.people.leaf(name) for name in ("Keeper", "Abroad", "Stranger"))

    def pointer(territory: str, location: str, by: Leaf | None) -> str:
        named = f"<X509Certificate>{base64.b64encode(made.der(by)).decode()}</X509Certificate>" if by else ""
        return (
            f"<OtherTSLPointer><ServiceDigitalIdentities><ServiceDigitalIdentity><DigitalId>{named}</DigitalId>"
            f"</ServiceDigitalIdentity></ServiceDigitalIdentities><TSLLocation>{location}</TSLLocation>"
            f"<AdditionalInformation><OtherInformation><SchemeTerritory>{territory}</SchemeTerritory>"
            "</OtherInformation></AdditionalInformation></OtherTSLPointer>"
        )

    pointers = "".join(
        [
            pointer("AA", "https://aa.example/list.xml", abroad),
            pointer("BB", "https://bb.example/list.xml", abroad),
            pointer("CC", "https://gone.example/list.xml", abroad),
            # Not over TLS, by nobody in particular: not pointers that are followed.
            pointer("DD", "http://aa.example/list.xml", abroad),
            pointer("EE", "https://aa.example/list.xml", None),
        ]
    )
    text = (
        '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"><SchemeInformation>'
        f"<PointersToOtherTSL>{pointers}</PointersToOtherTSL><NextUpdate><dateTime>{NOW + DAY:%Y-%m-%dT%H:%M:%SZ}"
        "</dateTime></NextUpdate></SchemeInformation></TrustServiceStatusList>"
    )
    asked: list[str] = []

    def fetch(address: str) -> bytes:
        asked.append(address)
        if "gone" in address:
            raise OSError
        return state_list(city, stranger if "bb" in address else abroad)

    found, missing = read_all(signed_list(text, keeper), [made.der(keeper)], at=NOW, fetch=fetch)
    assert [territory for territory, _ in found] == ["AA"]
    assert missing == {"BB": "signature", "CC": "unreachable"}
    assert all(address.startswith("https://") for address in asked)
    assert look(made.cades(made.LETTER, [leaf], at=SIGNED), merged(found), city).overall is Overall.TRUSTED
    with pytest.raises(ListRefused):
        read_pointers(signed_list(text, stranger), [made.der(keeper)], at=NOW)


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_followed_list_goes_forward_only_and_forks_are_refused(city: City, leaf: Leaf, tmp_path: Path) -> None:
    lists = FollowedLists(tmp_path)
    lists.follow("abroad", pem(KEY))
    newest = written(a_list(entries(city), number=7), KEY)
    assert lists.accept("abroad", newest, at=NOW).number == 7
    assert lists.accept("abroad", newest, at=NOW).number == 7
    other = ec.generate_private_key(ec.SECP256R1())
    for document, why in (
        (written(a_list(entries(city), number=6), KEY), "older"),
        (written(a_list(entries(city, until=NOW), number=7), KEY), "fork"),
        (written(a_list(entries(city), number=8), other), "signature"),
        (b"x", "form"),
    ):
        with pytest.raises(ListRefused) as caught:
            lists.accept("abroad", document, at=NOW)
        assert caught.value.why == why
    with pytest.raises(ListRefused):
        lists.follow("abroad", pem(other))
    with pytest.raises(ListRefused):
        lists.follow("../abroad", pem(KEY))
    lists.accept("abroad", written(a_list(entries(city, until=NOW - DAY), number=9), KEY), at=NOW)
    assert [version.number for version in lists.history("abroad", at=NOW)] == [7, 9]
    # Read again by another process: what was accepted counts, and an overdue list falls out and is told.
    again = FollowedLists(tmp_path)
    empty = Trust(roots=(), issuers={})
    stamped = made.cades(made.LETTER, [leaf], at=SIGNED)
    assert look(stamped, again.joined(empty, at=NOW), city).signatures[0].issuer.code == "issuer_broken"
    assert [(each.number, each.why) for each in again.standings(at=NOW)] == [(9, "")]
    assert [each.why for each in again.standings(at=NOW + 30 * DAY)] == ["overdue"]
    assert again.joined(empty, at=NOW + 30 * DAY) == empty


def test_a_list_is_taken_on_the_record_or_not_at_all(city: City, tmp_path: Path) -> None:
    lists, recorder, clock = FollowedLists(tmp_path), ListRecorder(), ManualClock(NOW)
    following = Following(lists=lists, recorder=recorder, tell=recorder.record, clock=clock, caller="app")
    empty = Trust(roots=(), issuers={})
    newest = written(a_list(entries(city), number=7), KEY)
    # Without the log nobody is trusted, and nothing is left that somebody could be trusted by later.
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        following.pin("abroad", pem(KEY))
    with pytest.raises(RecordUnavailable):
        following.take("abroad", newest)
    assert (lists.joined(empty, at=NOW), lists.files()) == (empty, [])
    recorder.down = False
    following.pin("abroad", pem(KEY))
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        following.take("abroad", newest)
    assert lists.joined(empty, at=NOW) == empty
    recorder.down = False
    following.take("abroad", newest)
    # The very same again changes nothing and says nothing.
    following.pin("abroad", pem(KEY))
    following.take("abroad", newest)
    assert lists.joined(empty, at=NOW).roots == (city.root.pem.decode(),)
    told = [(each.type.rpartition(".")[2], each.outcome) for each in recorder.events]
    assert told == [
        ("pinned", Outcome.INTENDED),
        ("pinned", Outcome.SUCCESS),
        ("taken", Outcome.INTENDED),
        ("taken", Outcome.SUCCESS),
    ]
    assert recorder.events[-1].attributes == {"list": "abroad", "number": 7, "caller": "app"}
    assert recorder.events[-1].object == hashlib.sha256(newest).hexdigest()
    # What is refused is on the record too: a fork, an older version, another keeper's key.
    fork = written(a_list(entries(city, until=NOW), number=7), KEY)
    for refused, why in ((fork, "fork"), (written(a_list(entries(city), number=6), KEY), "older"), (b"x", "form")):
        with pytest.raises(ListRefused):
            following.take("abroad", refused)
        last = recorder.events[-1]
        assert (last.type, last.outcome, last.attributes["code"]) == ("signature.list.refused", Outcome.DENIED, why)
    with pytest.raises(ListRefused):
        following.pin("abroad", pem(ec.generate_private_key(ec.SECP256R1())))
    assert recorder.events[-1].attributes["code"] == "signature"
    # A refusal that cannot be recorded is not told as one.
    recorder.down = True
    with pytest.raises(RecordUnavailable):
        following.take("abroad", fork)
    assert [each.number for each in lists.history("abroad", at=NOW)] == [7]


def test_a_list_is_kept_by_the_command(city: City, tmp_path: Path) -> None:
    key = documents.write(tmp_path, "key", KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = documents.write(tmp_path, "public", pem(KEY))
    root = documents.write(tmp_path, "root.pem", city.root.pem)
    file = tmp_path / "list"

    def run(*words: object, code: int = 0) -> str:
        found = CliRunner().invoke(trust_list, [str(word) for word in words])
        assert (found.exit_code != 0) == bool(code), found.output
        return found.output

    run("create", "--name", "abroad", "--key", key, "--out", file)
    first = file.read_bytes()
    run("create", "--name", "abroad", "--key", key, "--out", file, code=1)
    run("add", file, root, "--key", key, "--only", "sign", "--since", "2020-01-01")
    run("add", file, root, "--key", key, code=1)
    name = hashlib.sha256(made.own(city.root.certificate)).hexdigest()
    assert name in run("show", file, "--list-key", public)
    assert name not in run("show", file, "--list-key", public, "--at", "2019-12-31")
    run("withdraw", file, "00", "--key", key, code=1)
    run("withdraw", file, name, "--key", key, "--until", "2026-01-01")
    assert name not in run("show", file, "--list-key", public)
    assert name in run("show", file, "--list-key", public, "--at", "2025-12-31")
    run("sign", file, "--key", key)
    assert "abroad 4" in run("verify", file, "--list-key", public)
    run("verify", documents.write(tmp_path, "first", first), "--list-key", public, "--newest", "2", code=1)
