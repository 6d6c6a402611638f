# SPDX-License-Identifier: Apache-2.0
"""What people do about their own entry by way of sign-on, and passwords that attackers know."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from flask import Flask

import directory
from audit import Outcome
from core.calls import PairSecrets, Peer
from core.errors import Forbidden, Invalid, NotFound, Unauthenticated
from core.web import Guard, create
from directory import web
from directory.breaches import KEPT, MAGIC, KnownPasswords, build, is_common
from directory.client import OwnClient
from directory.errors import KnownPassword, UnreadableBreaches
from directory.models import Person
from tests.ca.sites import SECRETS, TestPeer
from tests.directory.world import World

OLD = "tally-demo-2026"
NEW = "eleven green kettles"


def peer(world: World, caller: str = "sso") -> OwnClient:
    guard = Guard(clock=world.clock, pairs=PairSecrets({name: SECRETS[name] for name in ("sso", "gateway")}))
    app: Flask = create(
        "directory",
        site=world.site,
        guard=guard,
        session_key=b"k" * 32,
        blueprints=[web.own.blueprint(world.writer().own, guard)],
        translations=[Path(directory.__file__).parent / "translations"],
        behind_proxy=False,
    )
    return OwnClient(lambda: cast("Peer", TestPeer(app, caller)))


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password123456!",
        "P@ssw0rd2026",
        "iloveyouiloveyou",
        "123456789012",
        "qwertyuiopasdfghjkl",
        "1qaz2wsx3edc",
        "!!Woaizhongguo888",
        "987654321098",
    ],
)
def test_what_everybody_tries_is_known(password: str) -> None:
    assert is_common(password)


@pytest.mark.parametrize("password", [OLD, NEW, "correct horse li.na", "a new pass phrase", "wandering-Otters-77"])
def test_a_phrase_of_ones_own_is_not(password: str) -> None:
    assert not is_common(password)


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_an_installed_corpus_is_searched_without_reading_it_whole(tmp_path: Path, kind: str) -> None:
    words = [f"stolen phrase {number}" for number in range(1000)]
    digests = sorted(hashlib.new(kind, word.encode()).hexdigest().upper() for word in words)
    target = tmp_path / "breached.list"
    known = KnownPasswords(target)
    assert not known.holds(words[0])
    assert build((f"{each}:{number}\r\n".encode() for number, each in enumerate(digests, 1)), target) == 1000
    assert target.stat().st_size == 32 + 1000 * KEPT
    assert all(known.holds(word) for word in words)
    assert not any(known.holds(f"phrase of nobody {number}") for number in range(1000))


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], 0),
        ([b"no hash\n"], 1),
        ([b"B" * 40, b"A" * 40], 2),
        ([b"A" * 40, b"A" * 40], 2),
        ([b"A" * 40, b"B" * 64], 2),
        ([b"A" * 40, b"G" * 40], 2),
    ],
)
def test_what_is_no_corpus_is_refused_and_the_list_before_stays(tmp_path: Path, lines: list[bytes], line: int) -> None:
    target = tmp_path / "breached.list"
    build([hashlib.sha1(b"a stolen phrase", usedforsecurity=False).hexdigest().encode()], target)
    with pytest.raises(UnreadableBreaches) as refused:
        build(lines, target)
    assert refused.value.parameters["line"] == line
    assert KnownPasswords(target).holds("a stolen phrase")
    assert [each.name for each in tmp_path.iterdir()] == ["breached.list"]


@pytest.mark.parametrize("content", [b"", MAGIC, MAGIC + b"md5\0\0\0\0\0" + KEPT.to_bytes(8, "big"), b"x" * 100])
def test_a_broken_list_lets_no_password_through(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(UnreadableBreaches):
        KnownPasswords(tmp_path / "list").holds("a phrase of my own")


def test_people_change_their_own_password_address_and_telephone(filled: World) -> None:
    person = filled.directory("directory").person_by_username("zhang.min")
    own, sso = peer(filled), filled.directory("sso")
    filled.clear()
    assert own.entry(person.subject)["username"] == "zhang.min"
    assert own.change(person.subject, mail="min@post.example", telephone="+86 10 5555 0101", language="zh")
    assert not own.change(person.subject, mail="min@post.example", telephone="+86 10 5555 0101", language="zh")
    shown = own.entry(person.subject)
    assert (shown["mail"], shown["telephone"], shown["language"]) == ("min@post.example", "+86 10 5555 0101", "zh")
    with pytest.raises(Unauthenticated) as wrong:
        own.change_password(person.subject, "wrong", NEW)
    assert wrong.value.code == "wrong_credentials"
    with pytest.raises(Invalid) as known:
        own.change_password(person.subject, OLD, "Password123456!")
    assert known.value.code == "known_password"
    own.change_password(person.subject, OLD, NEW)
    assert sso.authenticate("zhang.min", NEW).subject == person.subject
    own.recover(person.subject, "twelve green kettles")
    assert sso.authenticate("zhang.min", "twelve green kettles").subject == person.subject
    done = [event for event in filled.outbox() if event.type == "directory.person.changed"]
    assert [(event.outcome, event.attributes["what"], event.actor) for event in done] == [
        (Outcome.SUCCESS, "profile", person.subject),
        (Outcome.SUCCESS, "password", person.subject),
        (Outcome.SUCCESS, "password", "role:sso"),
    ]
    intents = [event.attributes["what"] for event in filled.recorder.events if event.outcome is Outcome.INTENDED]
    assert intents == ["profile", "password", "password"]


def test_nobody_is_given_a_password_that_stands_in_the_sites_list(filled: World, li_na: Person) -> None:
    target = filled.site.folder("directory") / "breached.list"
    build([hashlib.sha1(b"a stolen phrase", usedforsecurity=False).hexdigest().encode()], target)
    try:
        acts: tuple[Callable[[], None], ...] = (
            lambda: filled.writer().set_password(li_na.subject, "a stolen phrase", actor="role:app"),
            lambda: peer(filled).change_password(li_na.subject, OLD, "a stolen phrase"),
            lambda: peer(filled).recover(li_na.subject, "a stolen phrase"),
        )
        for act in acts:
            with pytest.raises(Invalid) as refused:
                act()
            assert refused.value.code == KnownPassword.code
    finally:
        target.unlink()
    assert filled.directory("sso").authenticate(li_na.username, OLD).subject == li_na.subject


def test_bad_input_and_other_roles_get_nothing(filled: World, li_na: Person) -> None:
    own = peer(filled)
    for mail, telephone, language in (
        ("no address", "", ""),
        ("a@b.example\nx", "", ""),
        ("", "call me", ""),
        ("", "", "fr"),
    ):
        with pytest.raises(Invalid, match="bad_name"):
            own.change(li_na.subject, mail=mail, telephone=telephone, language=language)
    for subject in ("nobody", "*)(uid=*", "00000000-0000-4000-8000-000000000000"):
        with pytest.raises((NotFound, Invalid)):
            own.entry(subject)
    with pytest.raises(Invalid, match="weak_password"):
        own.change_password(li_na.subject, OLD, "short")
    with pytest.raises((Forbidden, Unauthenticated)):
        peer(filled, "gateway").recover(li_na.subject, NEW)
