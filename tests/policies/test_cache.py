# SPDX-License-Identifier: Apache-2.0
"""A remembered decision is the decision: for no other question, no other version, no other time, and never an error."""

import os
import shutil
import threading
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings

from policies import BundleRefused, Code, Decision, DecisionRequest
from policies.bundle import JOURNAL, Manifest, release
from policies.cache import DecisionCache
from policies.cache import key as key_of
from policies.engine.lint import moments
from policies.release import Release
from policies.service import PolicyEngine, _Force
from tests.fakes.recorder import ListRecorder

from .conftest import AT, Ask
from .test_properties import RELEASE, requests

CACHE = DecisionCache(most=200)
RELOADS = int(os.environ.get("TALLYGATE_RELOADS", "6"))
"""A hundred in ``scripts/soak``."""


class Shop:
    """Where policies are released, and one process that decides by them."""

    def __init__(self, folder: Path, key: Ed25519PrivateKey) -> None:
        self.folder = folder / "p"
        self.key = key
        self.journal = folder / JOURNAL
        self.recorder = ListRecorder()

    def release(self, files: dict[str, bytes]) -> Manifest:
        recorder, journal = self.recorder, self.journal
        return release(self.folder, files, key=self.key, journal=journal, recorder=recorder, at=AT, actor="maker")

    def engine(self, *, remembered: int = 1000) -> PolicyEngine:
        return PolicyEngine.load(self.folder, self.key.public_key(), remembered=remembered)


@pytest.fixture
def shop(tmp_path: Path, key: Ed25519PrivateKey) -> Shop:
    return Shop(tmp_path, key)


@pytest.fixture(scope="module")
def engines(
    tmp_path_factory: pytest.TempPathFactory, key: Ed25519PrivateKey, shipped_files: dict[str, bytes]
) -> tuple[PolicyEngine, PolicyEngine]:
    """One that remembers, one that does not."""
    made = Shop(tmp_path_factory.mktemp("shop"), key)
    made.release(shipped_files)
    return made.engine(), made.engine(remembered=0)


@settings(max_examples=150, deadline=None)
@given(requests)
def test_what_is_remembered_is_what_would_be_answered(request: DecisionRequest) -> None:
    asked = key_of(RELEASE.version, request)
    assert asked is not None
    fresh = RELEASE.decide(request)
    # Twice through a small memory that keeps being full.
    for _ in range(2):
        assert (CACHE.get(asked) or fresh) == fresh
        CACHE.keep(asked, fresh)


@pytest.mark.parametrize(
    "changed",
    [
        # Every part alone makes another question.
        {"principal_kind": "device"},
        {"subject": "x"},
        {"roles": frozenset({"citizen", "x"})},
        {"organisation": "x"},
        {"mandates": frozenset({"x"})},
        {"enabled": False},
        {"proofing": 2},
        {"assurance": 2},
        {"methods": ("pwd",)},
        {"clearance": 1},
        {"action": "login"},
        {"method": "POST"},
        {"resource": "social"},
        {"resource_class": "office"},
        {"owner": "x"},
        {"classification": 1},
        {"from_zone": "internet"},
        {"to_zone": "internal"},
        {"required_assurance": 2},
        {"port": 8444},
        {"protocol": "websocket"},
        {"device": ""},
        {"device_state": "lost"},
        {"record_class": "x"},
        {"acting_for": "x"},
        {"purpose": "x"},
        {"path_public": True},
    ],
)
def test_every_part_of_a_question_is_part_of_its_key(ask: Ask, changed: dict[str, Any]) -> None:
    assert key_of("1", ask(**changed)) != key_of("1", ask())
    assert key_of("2", ask()) != key_of("1", ask())


def test_no_part_was_forgotten() -> None:
    table = test_every_part_of_a_question_is_part_of_its_key.pytestmark[0].args[1]
    assert {name for changed in table for name in changed} == {each.name for each in fields(DecisionRequest)} - {"at"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # What joins two parts in a text does not join them here.
        ({"subject": "a", "organisation": "b,c"}, {"subject": "a,b", "organisation": "c"}),
        ({"roles": frozenset({"a b"})}, {"roles": frozenset({"a", "b"})}),
        ({"methods": ("a", "b")}, {"methods": ("b", "a")}),
        ({"resource": "tax\x00", "owner": ""}, {"resource": "tax", "owner": "\x00"}),
        ({"device": None}, {"device": "None"}),
        ({"from_zone": "external", "to_zone": "internal"}, {"from_zone": "internal", "to_zone": "external"}),
        ({"subject": "\u00e9"}, {"subject": "e\u0301"}),
    ],
)
def test_keys_are_not_confused(ask: Ask, one: dict[str, Any], other: dict[str, Any]) -> None:
    assert key_of("1", ask(**one)) != key_of("1", ask(**other))


@pytest.mark.parametrize(
    "wrong",
    [
        # Python takes True for 1, 1.0 for 1 and an empty set for another one; Cedar does not.
        {"assurance": True},
        {"assurance": 1.0},
        {"enabled": 1},
        {"path_public": 0},
        {"classification": False},
        {"roles": ("citizen",)},
        {"roles": frozenset({1})},
        {"methods": ["pwd"]},
        {"device": 3},
        {"subject": 7},
        {"subject": None},
    ],
)
def test_what_is_not_of_its_exact_type_is_not_remembered(
    engines: tuple[PolicyEngine, PolicyEngine], ask: Ask, wrong: dict[str, Any]
) -> None:
    assert key_of("1", ask(**wrong)) is None
    engine, plain = engines
    assert engine.decide(ask()).allowed
    assert engine.decide(ask(**wrong)) == plain.decide(ask(**wrong))


def test_errors_and_answers_of_other_versions_are_not_kept(ask: Ask) -> None:
    cache, asked = DecisionCache(most=10), key_of("2", ask())
    assert asked is not None
    made = Decision(allowed=False, code=Code.ERROR, reasons=(), step_up=None, version="2")
    cache.keep(asked, made)
    assert cache.get(asked) is None
    cache.keep(asked, replace(made, code=Code.ALLOWED, allowed=True, version="1"))
    assert cache.get(asked) is None
    cache.keep(asked, replace(made, code=Code.ROLE))
    assert cache.get(asked) == replace(made, code=Code.ROLE)


def test_the_memory_is_bounded_and_the_oldest_goes_first(ask: Ask) -> None:
    cache = DecisionCache(most=2)
    made = Decision(allowed=True, code=Code.ALLOWED, reasons=("x",), step_up=None, version="1")
    keys = [key_of("1", ask(subject=name)) for name in "abc"]
    for asked in keys:
        assert asked is not None
        cache.keep(asked, made)
    assert [cache.get(asked) is not None for asked in keys if asked] == [False, True, True]


FROM, UNTIL = datetime(2026, 11, 20, 8, 0, tzinfo=UTC), datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


@pytest.fixture
def timed(shipped_files: dict[str, bytes]) -> dict[str, bytes]:
    """The tax portal is open for one day only, from the first second to the one before the last."""
    rule = (
        '\n@id("office-hours") @code("default") @owner("portals") @reason("one day only")\n'
        'forbid (principal, action == Action::"access", resource == Target::"tax")\n'
        f"unless {{ context.at >= {int(FROM.timestamp())} && context.at < {int(UNTIL.timestamp())} }};\n"
    )
    return dict(shipped_files) | {"access.cedar": shipped_files["access.cedar"] + rule.encode()}


def test_a_rule_about_time_holds_to_the_second_and_is_never_remembered(timed: dict[str, bytes], ask: Ask) -> None:
    made = Release(timed, version="1")
    assert made.timed("access")
    assert not made.timed("login")
    second, instant = timedelta(seconds=1), timedelta(microseconds=1)
    for at, allowed in (
        (FROM - second, False),
        (FROM - instant, False),
        (FROM, True),
        (UNTIL - instant, True),
        (UNTIL, False),
        (UNTIL + second, False),
    ):
        assert made.decide(ask(at=at)).allowed is allowed, at
    # The same instant told in another zone of the clock, and a time that is none.
    assert made.decide(ask(at=(FROM - second).astimezone(UTC))).allowed is False
    assert made.decide(ask(at="now")).code == Code.ERROR


def test_until_when_an_answer_holds_is_told_for_what_stays_open(
    timed: dict[str, bytes], shipped_files: dict[str, bytes]
) -> None:
    made = Release(timed, version="1")
    second = timedelta(seconds=1)
    for at, edge in ((FROM - second, FROM), (FROM, FROM + second), (FROM + second, UNTIL), (UNTIL + second, None)):
        assert made.edge("access", at) == (int(edge.timestamp()) if edge else 0), at
    assert made.edge("login", FROM) == 0
    assert Release(shipped_files, version="1").edge("access", FROM) == 0
    # What computes with the time may change at any moment: nothing lives longer than a minute by it.
    hidden = {**timed, "access.cedar": timed["access.cedar"].replace(b"context.at >=", b"context.at - 5 >=")}
    assert Release(hidden, version="1").edge("access", FROM) == int(FROM.timestamp()) + 60


@pytest.mark.parametrize(
    ("says", "found"),
    [
        ("context.at < 7", {7, 8}),
        ("7 <= context.at && context.at != 9", {7, 8, 9, 10}),
        ("context.at == 7 || principal.enabled", {7, 8}),
        ("principal.enabled", set()),
        ("context.at + 1 < 7", None),
        ("context.at < context.assurance", None),
        ("[context.at].contains(7)", None),
        ("(if principal.enabled then context.at else 3) < 7", None),
        ("context == principal.seen", None),
        ("context.at < 7 && context == principal.seen", None),
    ],
)
def test_the_moments_of_a_condition_are_those_it_compares_the_time_with(says: str, found: set[int] | None) -> None:
    text = f'@id("a") permit (principal, action, resource) when {{ {says} }};'
    (policy,) = cedarpy.PolicySet.from_str(text).to_pst().static_policies.values()
    assert moments(policy.clauses[0].expr) == (None if found is None else frozenset(found))


def test_what_the_clock_closed_stays_closed_though_it_was_just_allowed(
    shop: Shop, shipped_files: dict[str, bytes], ask: Ask
) -> None:
    rule = (
        '\n@id("for-a-day") @owner("portals") @reason("one day only")\n'
        'permit (principal is Person, action == Action::"access", resource == Target::"fair")\n'
        f'when {{ resource in Class::"portal" && context.at < {int(UNTIL.timestamp())} }};\n'
    )
    files = dict(shipped_files) | {
        "access.cedar": shipped_files["access.cedar"] + rule.encode(),
        "cases.csv": shipped_files["cases.csv"] + b"citizen,access,fair,external,1,,allowed,,"
        b"for-a-day portal-for-everybody-known\n",
        "cases.toml": shipped_files["cases.toml"] + b'\n[what.fair]\nresource_class = "portal"\nzone = "external"\n',
    }
    shop.release(files)
    engine = shop.engine()
    fair = {"resource": "fair", "roles": frozenset({"visitor"})}
    assert engine.decide(ask(**fair, at=UNTIL - timedelta(seconds=1))).allowed
    assert not engine.decide(ask(**fair, at=UNTIL)).allowed


STRICT = (b'context.assurance >= 1\n};\n\n@id("office', b'context.assurance >= 2\n};\n\n@id("office')


@pytest.fixture
def stricter(shipped_files: dict[str, bytes]) -> dict[str, bytes]:
    """Portals from assurance 2 on."""
    changed = shipped_files["access.cedar"].replace(*STRICT)
    assert changed != shipped_files["access.cedar"]
    kept = [
        line
        for line in shipped_files["cases.csv"].splitlines()
        if b"portal-for-everybody-known" not in line or b",2," in line
    ]
    proved = b"\n".join(kept).replace(
        b"citizen,access,tax,external,0,,assurance,1,", b"citizen,access,tax,external,0,,assurance,2,"
    )
    return dict(shipped_files) | {"access.cedar": changed, "cases.csv": proved + b"\n"}


def test_a_stale_policy_answers_nothing_after_the_release(
    shop: Shop, shipped_files: dict[str, bytes], stricter: dict[str, bytes], ask: Ask
) -> None:
    shop.release(shipped_files)
    engine, old = shop.engine(), (shop.folder / "current").read_bytes()
    assert [engine.decide(ask()).allowed for _ in range(2)] == [True, True]
    second = shop.release(stricter)
    engine.reload()
    answer = engine.decide(ask())
    assert (answer.allowed, answer.code, answer.version) == (False, "assurance", second.version)
    assert [(each.kind, each.value) for each in answer.could] == [("step_up", "2")]
    # The old bundle, signed as it is, put back by whoever can write the folder: refused, and nothing comes back.
    (shop.folder / "current").write_bytes(old)
    with pytest.raises(BundleRefused):
        engine.reload()
    assert engine.decide(ask()) == answer


def test_reloads_under_questions_lose_none_and_mix_nothing(
    shop: Shop, shipped_files: dict[str, bytes], stricter: dict[str, bytes], ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Proving each of them takes most of the time and is shown elsewhere.
    shop.release(shipped_files)
    engine = shop.engine()
    built = {True: Release.proved(shipped_files, version="x"), False: Release.proved(stricter, version="x")}

    def known(files: dict[str, bytes], *, version: str) -> Release:
        made = built[files["access.cedar"] == shipped_files["access.cedar"]]
        twin = Release.__new__(Release)
        twin.__dict__.update(made.__dict__, version=version)
        return twin

    monkeypatch.setattr(Release, "proved", staticmethod(known))
    wanted = {engine.version: True}
    over, wrong, asked = threading.Event(), [], [0, 0]

    def questions(place: int) -> None:
        # Not as fast as can be: the reloading thread is to get its turn.
        while not over.wait(0.001):
            answer = engine.decide(ask(subject=f"{place}-{asked[place] % 7}"))
            asked[place] += 1
            if answer.code == Code.ERROR or answer.allowed is not wanted[answer.version]:
                wrong.append(answer)

    threads = [threading.Thread(target=questions, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(RELOADS):
            lax = bool(number % 2)
            made = shop.release(shipped_files if lax else stricter)
            wanted[made.version] = lax
            assert engine.reload()
            before = list(asked)
            _wait(lambda seen=before: asked[0] > seen[0] and asked[1] > seen[1])
            shutil.rmtree(shop.folder / made.version)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert engine.version == made.version


def _wait(done: Any) -> None:
    pause = threading.Event()
    while not done():
        pause.wait(0.001)


@pytest.mark.parametrize("group", ["everything", "login"])
def test_a_rule_about_a_group_of_actions_holds_to_the_second_too(
    group: str, shipped_files: dict[str, bytes], ask: Ask
) -> None:
    """The schema is a file of the release like any other: it may put actions into groups, of new names or known."""
    declared = 'action "everything";\n' if group == "everything" else ""
    schema = shipped_files["schema.cedarschema"].decode()
    schema = declared + schema.replace("action access appliesTo", f"action access in [{group}] appliesTo")
    rule = (
        '@id("closed") @code("default") @owner("portals") @reason("closed from then on")\n'
        f'forbid (principal, action in Action::"{group}", resource)\n'
        f"when {{ context.at >= {int(UNTIL.timestamp())} }};\n"
        '@id("open") @owner("portals") @reason("open to services")\n'
        f'permit (principal is Service, action in [Action::"{group}"], resource);\n'
    )
    made = Release(shipped_files | {"schema.cedarschema": schema.encode(), "more.cedar": rule.encode()}, version="1")
    assert made.timed("access")
    assert made.edge("access", FROM) == int(UNTIL.timestamp())
    force = _Force(made, CACHE)
    assert [force.decide(ask(at=at)).allowed for at in (FROM, UNTIL)] == [True, False]
    assert force.decide(ask(principal_kind="service", at=FROM)).reasons == ("open",)
    assert not [each for each in made.needless() if each.policy in ("closed", "open")]
