# SPDX-License-Identifier: Apache-2.0
"""Trust lists are fetched by rule: only by whom the settings name, and the last good one counts meanwhile."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit import Outcome, RecordUnavailable
from core.calls.outside import Reply
from core.errors import Unavailable
from signatures.config import FetchedList, FetchSettings
from signatures.models import Trust
from signatures.service import FollowedLists, ListFetching
from signatures.trustlists import Entry, TrustList, written
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents, made
from tests.signatures.pki import DAY, NOW, City, Leaf
from tests.signatures.test_trustlists import signed_list

KEY = ec.generate_private_key(ec.SECP256R1())
HOUR = timedelta(hours=1)
NOTHING = Trust(roots=(), issuers={})


@dataclass
class Web:
    """Addresses and what lies there; what is not there cannot be reached."""

    there: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    status: int = 200

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        self.asked.append((url, headers))
        if url not in self.there:
            raise Unavailable
        mark = f'"{hash(self.there[url])}"'
        if headers.get("If-None-Match") == mark:
            return Reply(304, "", b"")
        return Reply(self.status, "", self.there[url], {"etag": mark})


@dataclass
class House:
    lists: FollowedLists
    web: Web
    recorder: ListRecorder
    clock: ManualClock
    fetching: ListFetching
    folder: Path

    def round(self, *, later: timedelta = HOUR) -> None:
        self.clock.advance(later)
        self.fetching.work()

    def stands(self) -> dict[str, tuple[int, str]]:
        return {each.name: (each.number, each.why) for each in self.lists.standings(at=self.clock.now())}

    def roots(self) -> set[str]:
        return set(self.lists.joined(NOTHING, at=self.clock.now()).roots)

    def failure(self, name: str) -> str:
        told = self.lists.fetched(name)
        assert told is not None
        return told.failure


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., House]:
    def built(**rules: FetchedList) -> House:
        web, recorder, clock = Web(), ListRecorder(), ManualClock()
        lists = FollowedLists(tmp_path / "lists", settled=rules)
        fetching = ListFetching(
            lists=lists,
            rules=rules,
            get=web.get,
            recorder=recorder,
            tell=recorder.record,
            clock=clock,
            lock=tmp_path / "lock",
        )
        (tmp_path / "lists").mkdir(exist_ok=True)
        return House(lists, web, recorder, clock, fetching, tmp_path)

    return built


def certificates(folder: Path, *leaves: Leaf) -> Path:
    return documents.write(folder, "signers.pem", b"".join(each.pem for each in leaves))


def own_list(city: City, number: int, *, until: timedelta = 7 * DAY) -> bytes:
    entry = Entry(certificate=made.own(city.root.certificate))
    return written(
        TrustList(name="abroad", number=number, issued=NOW - DAY, next_issue=NOW + until, entries=(entry,)), KEY
    )


def state_list(by: Leaf, number: int, *, roots: tuple[bytes, ...] = (), pointers: str = "", days: int = 7) -> bytes:
    services = "".join(
        "<TSPService><ServiceInformation><ServiceTypeIdentifier>http://uri.etsi.org/TrstSvc/Svctype/CA/QC"
        "</ServiceTypeIdentifier><ServiceDigitalIdentity><DigitalId><X509Certificate>"
        f"{base64.b64encode(root).decode()}</X509Certificate></DigitalId></ServiceDigitalIdentity>"
        "<ServiceStatus>http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/granted</ServiceStatus>"
        "<StatusStartingTime>2020-01-01T00:00:00Z</StatusStartingTime></ServiceInformation></TSPService>"
        for root in roots
    )
    text = (
        '<TrustServiceStatusList xmlns="http://uri.etsi.org/02231/v2#"><SchemeInformation>'
        f"<TSLSequenceNumber>{number}</TSLSequenceNumber><PointersToOtherTSL>{pointers}</PointersToOtherTSL>"
        f"<NextUpdate><dateTime>{NOW + days * DAY:%Y-%m-%dT%H:%M:%SZ}</dateTime></NextUpdate></SchemeInformation>"
        f"<TrustServiceProviderList>{services}</TrustServiceProviderList></TrustServiceStatusList>"
    )
    return signed_list(text, by)


def pointer(territory: str, location: str, by: Leaf) -> str:
    return (
        "<OtherTSLPointer><ServiceDigitalIdentities><ServiceDigitalIdentity><DigitalId><X509Certificate>"
        f"{base64.b64encode(made.der(by)).decode()}</X509Certificate></DigitalId></ServiceDigitalIdentity>"
        f"</ServiceDigitalIdentities><TSLLocation>{location}</TSLLocation><AdditionalInformation><OtherInformation>"
        f"<SchemeTerritory>{territory}</SchemeTerritory></OtherInformation></AdditionalInformation></OtherTSLPointer>"
    )


def test_another_site_s_list_is_fetched_recorded_and_kept_while_its_server_is_down(
    city: City, tmp_path: Path, house: Callable[..., House]
) -> None:
    key = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    rule = FetchedList(url="https://a.example/list", kind="tallygate", signer=documents.write(tmp_path, "key.pem", key))
    one = house(abroad=rule)
    one.round()
    assert (one.failure("abroad"), one.stands(), one.roots()) == ("unreachable", {"abroad": (0, "none")}, set())
    one.web.there[rule.url] = own_list(city, 3)
    one.round()
    assert one.stands() == {"abroad": (3, "")}
    assert one.roots() == {city.root.pem.decode()}
    # What it trusts from now on was recorded before and after.
    assert [(each.type, each.outcome) for each in one.recorder.events] == [
        (f"signature.list.{verb}", outcome)
        for verb in ("pinned", "taken")
        for outcome in (Outcome.INTENDED, Outcome.SUCCESS)
    ]
    assert one.recorder.events[2].attributes == {"list": "abroad", "number": 3, "caller": "signatures"}
    # Not asked before it is due; then the server may say "the same".
    one.round(later=HOUR)
    assert len(one.web.asked) == 2
    one.round(later=6 * HOUR)
    assert "If-None-Match" in one.web.asked[-1][1]
    assert (one.failure("abroad"), len(one.recorder.events)) == ("", 4)
    for there, failure in ((b"x", "form"), (own_list(city, 2), "older"), (None, "unreachable")):
        one.web.there = {} if there is None else {rule.url: there}
        one.round(later=6 * HOUR)
        one.round(later=6 * HOUR)
        assert (one.failure("abroad"), one.stands()) == (failure, {"abroad": (3, "")})
    # A refusal is told once, however often the same is offered.
    refused = [each for each in one.recorder.events[4:] if each.type == "signature.list.refused"]
    assert [(each.outcome, each.attributes["code"]) for each in refused] == [
        (Outcome.DENIED, "form"),
        (Outcome.DENIED, "older"),
    ]
    # Until its own end, and not beyond; a server that still says "the same" is not asked so.
    one.web.there = {rule.url: own_list(city, 3)}
    one.round(later=8 * DAY)
    assert (one.stands(), one.roots()) == ({"abroad": (3, "overdue")}, set())
    assert "If-None-Match" not in one.web.asked[-1][1]
    # A site that no longer names it in its settings no longer trusts it.
    other = FollowedLists(tmp_path / "lists", settled=())
    assert [each.why for each in other.standings(at=NOW)] == ["withdrawn"]


def test_no_version_counts_that_could_not_be_recorded(city: City, tmp_path: Path, house: Callable[..., House]) -> None:
    keeper = city.people.leaf("Keeper")
    rule = FetchedList(url="https://a.example/list", kind="etsi", signer=certificates(tmp_path, keeper))
    one = house(state=rule)
    one.web.there[rule.url] = state_list(keeper, 5, roots=(made.own(city.root.certificate),))
    one.recorder.down = True
    with pytest.raises(RecordUnavailable):
        one.round()
    assert one.roots() == set()
    one.recorder.down = False
    one.round()
    assert (one.stands(), one.roots()) == ({"state": (5, "")}, {city.root.pem.decode()})


def test_only_whom_the_settings_name_may_sign_a_state_s_list(
    city: City, tmp_path: Path, house: Callable[..., House]
) -> None:
    keeper, stranger = city.people.leaf("Keeper"), city.people.leaf("Stranger")
    rule = FetchedList(url="https://a.example/list", kind="etsi", signer=certificates(tmp_path, keeper))
    one = house(state=rule)
    root = (made.own(city.root.certificate),)
    for there, failure in (
        (state_list(stranger, 5, roots=root), "signature"),
        (state_list(keeper, 0, roots=root), "form"),
        (state_list(keeper, 5, roots=root, days=-1), "overdue"),
    ):
        one.web.there[rule.url] = there
        one.round()
        assert (one.failure("state"), one.roots()) == (failure, set())
    one.web.status, one.web.there[rule.url] = 302, state_list(keeper, 5, roots=root)
    one.round()
    assert (one.failure("state"), one.roots()) == ("answer", set())
    one.web.status = 200
    one.round()
    assert one.failure("state") == ""
    one.web.there[rule.url] = state_list(keeper, 5)
    one.round(later=6 * HOUR)
    assert (one.failure("state"), one.roots()) == ("fork", {city.root.pem.decode()})
    # Another signer in the settings: what the old one signed counts no more at once.
    certificates(tmp_path, stranger)
    one.round(later=6 * HOUR)
    assert (one.failure("state"), one.stands(), one.roots()) == ("signature", {"state": (5, "signature")}, set())


def test_a_list_of_lists_is_followed_to_each_list_and_no_further(
    city: City, tmp_path: Path, house: Callable[..., House]
) -> None:
    keeper, abroad, stranger = (city.people.leaf(name) for name in ("Keeper", "Abroad", "Stranger"))
    rule = FetchedList(url="https://lists.example/all.xml", kind="etsi-lists", signer=certificates(tmp_path, keeper))
    one = house(union=rule)
    places = {name: f"https://{name}.example/list.xml" for name in ("aa", "bb", "cc")}
    own = pointer("EU", rule.url, keeper)
    pointers = own + "".join(pointer(name.upper(), place, abroad) for name, place in places.items())
    pointers += pointer("AA", "https://aa.example/second.xml", stranger) + pointer("../x", "https://x.example/", abroad)
    root, other = made.own(city.root.certificate), made.own(city.people.certificate)
    further = pointer("ZZ", "https://zz.example/list.xml", abroad)
    one.web.there |= {
        rule.url: state_list(keeper, 1, pointers=pointers),
        places["aa"]: state_list(abroad, 9, roots=(root,), pointers=further),
        places["bb"]: state_list(stranger, 9, roots=(other,)),
    }
    one.round()
    assert one.stands() == {
        "union": (1, ""), "union.aa": (9, ""), "union.bb": (0, "none"), "union.cc": (0, "none"),
    }  # fmt: skip
    assert {name: one.failure(f"union.{name}") for name in places} == {
        "aa": "", "bb": "signature", "cc": "unreachable",
    }  # fmt: skip
    assert one.roots() == {city.root.pem.decode()}
    assert {url for url, _ in one.web.asked} == {rule.url, *places.values()}
    # The list of lists names it no more, or is itself no longer good: nothing that it led to counts.
    one.web.there[rule.url] = state_list(keeper, 2, pointers=own, days=30)
    one.round(later=6 * HOUR)
    assert (one.stands()["union.aa"], one.roots()) == ((9, "withdrawn"), set())
    one.web.there[rule.url] = state_list(keeper, 3, pointers=pointers, days=2)
    one.round(later=6 * HOUR)
    assert one.roots() == {city.root.pem.decode()}
    one.round(later=3 * DAY)
    assert (one.stands()["union.aa"], one.roots()) == ((9, "withdrawn"), set())


def test_rules_that_cannot_be_meant_are_refused() -> None:
    rule = FetchedList(url="https://a.example/", kind="etsi", signer=Path("x"))
    for wrong in ({"url": "http://a.example/"}, {"kind": "else"}, {"every": timedelta(seconds=1)}):
        with pytest.raises(ValueError, match=r"\w"):
            replace(rule, **wrong)
    for name in ("../x", "A", "a.b", ""):
        with pytest.raises(ValueError, match="names of lists"):
            FetchSettings(lists={name: rule})
    for host in ("*.example", "https://a.example", "A.example"):
        with pytest.raises(ValueError, match="hosts"):
            FetchSettings(hosts=(host,))
