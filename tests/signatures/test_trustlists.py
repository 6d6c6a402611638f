# SPDX-License-Identifier: Apache-2.0
"""Trust lists are signed, numbered, in time, and remember: who was trusted then is trusted for what was proved then."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml import methods
from signxml.algorithms import DigestAlgorithm
from signxml.xades.xades import XAdESSigner

from signatures.errors import ListRefused
from signatures.formats import inspect
from signatures.models import Overall, Profile, Trust, Verdict
from signatures.pades.grounds import Grounds
from signatures.trustlists import Entry, TrustList, merged, read_etsi, read_own, written
from signatures.verdict import judge
from tests.signatures import made, stamper
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


def state_list(city: City, keeper: Leaf, *, withdrawn: datetime | None = None, due: datetime = NOW + DAY) -> bytes:
    base = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
    granted = (
        f"<ServiceStatus>{base}granted</ServiceStatus><StatusStartingTime>2020-01-01T00:00:00Z</StatusStartingTime>"
    )
    ended = withdrawn and (
        f"<ServiceStatus>{base}withdrawn</ServiceStatus>"
        f"<StatusStartingTime>{withdrawn:%Y-%m-%dT%H:%M:%SZ}</StatusStartingTime>"
    )
    identity = base64.b64encode(made.own(city.root.certificate)).decode()
    past = f"<ServiceHistory><ServiceHistoryInstance>{granted}</ServiceHistoryInstance></ServiceHistory>"
    text = (
        '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"><SchemeInformation><NextUpdate>'
        f"<dateTime>{due:%Y-%m-%dT%H:%M:%SZ}</dateTime></NextUpdate></SchemeInformation><TrustServiceProviderList>"
        "<TrustServiceProvider><TSPServices><TSPService><ServiceInformation>"
        "<ServiceTypeIdentifier>http://uri.etsi.org/TrstSvc/Svctype/CA/QC</ServiceTypeIdentifier>"
        f"<ServiceDigitalIdentity><DigitalId><X509Certificate>{identity}</X509Certificate></DigitalId>"
        f"</ServiceDigitalIdentity>{ended or granted}</ServiceInformation>{past if ended else ''}"
        "</TSPService></TSPServices></TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>"
    )
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
