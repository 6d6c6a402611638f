# SPDX-License-Identifier: Apache-2.0
"""Authentication and questions, against a real slapd: attacks, bad input, lost connections."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from app.sample.city import PASSWORD
from core.config import ConfigurationError
from directory.errors import (
    BadName,
    DirectoryUnavailable,
    NoSuchDevice,
    NoSuchOrganisation,
    NoSuchPerson,
    WrongCredentials,
)
from directory.ldap import Server
from directory.ldap.names import contains, equal, rdn_value
from directory.models import Person, credit_code_check, credit_code_is_right
from directory.service import Directory
from directory.slapd import MOST_FOR_READERS
from tests.directory.world import World

HOSTILE = (
    "*",
    "*)(uid=*",
    "chen.wei)(|(uid=*",
    "chen.wei\0",
    "\0",
    "chen.wei\\2a",
    "\\",
    "chen.wei,ou=people",
    "cn=directory,ou=services,dc=city,dc=example",
    "陈伟",
    "\uff43\uff48\uff45\uff4e.wei",
    "chen.wei\u200b",
    "\ud800",
    "x" * 10_000,
    "",
    " ",
)


@pytest.fixture
def sso(filled: World) -> Directory:
    return filled.directory("sso")


def test_the_right_password_opens(sso: Directory, chen_wei: Person) -> None:
    assert sso.authenticate("chen.wei", PASSWORD).subject == chen_wei.subject
    assert sso.authenticate(" Chen.Wei ", PASSWORD).subject == chen_wei.subject


@pytest.mark.parametrize("username", HOSTILE)
def test_a_hostile_user_name_is_a_wrong_one(sso: Directory, username: str) -> None:
    with pytest.raises(WrongCredentials):
        sso.authenticate(username, PASSWORD)


@pytest.mark.parametrize("password", ["", "\0", f"{PASSWORD}\0", f" {PASSWORD}", "*", "x" * 100_000, "密码", "\ud800"])
def test_a_hostile_password_is_a_wrong_one(sso: Directory, password: str) -> None:
    with pytest.raises(WrongCredentials):
        sso.authenticate("chen.wei", password)


def test_every_refusal_says_the_same(filled: World, sso: Directory, li_na: Person) -> None:
    writer = filled.writer()
    writer.disable_person(li_na.subject, actor="", reason="test")
    said = set()
    try:
        for username, password in (
            ("nobody", PASSWORD),
            ("chen.wei", "wrong"),
            ("chen.wei", ""),
            ("li.na", PASSWORD),
            ("*", "*"),
        ):
            with pytest.raises(WrongCredentials) as refused:
                sso.authenticate(username, password)
            said.add((type(refused.value), str(refused.value), refused.value.__cause__))
    finally:
        writer.enable_person(li_na.subject, actor="")
    assert len(said) == 1
    assert sso.authenticate("li.na", PASSWORD).enabled


def test_every_refusal_costs_one_bind(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    binds: list[str] = []
    proves = Server.proves

    def counted(server: Server, dn: str, password: str) -> bool:
        binds.append(dn)
        assert password
        return proves(server, dn, password)

    monkeypatch.setattr(Server, "proves", counted)
    sso = filled.directory("sso")
    for username, password in (("nobody", "x"), ("chen.wei", "x"), ("chen.wei", ""), ("*", "x")):
        with pytest.raises(WrongCredentials):
            sso.authenticate(username, password)
    assert len(binds) == 4


def test_an_empty_password_never_reaches_the_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    nowhere = Server(url="ldapi://%2Fnowhere", timeout=timedelta(seconds=1))
    assert not nowhere.proves("cn=directory,ou=services,dc=city,dc=example", "")
    assert not nowhere.proves("", "password")
    assert not nowhere.proves("cn=x", "nul\0")


def test_fifty_wrong_passwords_lock_nobody_out(sso: Directory) -> None:
    for _ in range(50):
        with pytest.raises(WrongCredentials):
            sso.authenticate("zhang.min", "wrong")
    assert sso.authenticate("zhang.min", PASSWORD).username == "zhang.min"


@pytest.mark.parametrize("text", HOSTILE[:-2])
def test_hostile_questions_find_nobody(filled: World, text: str) -> None:
    directory = filled.directory("directory")
    for ask in (directory.person, directory.person_by_username):
        with pytest.raises(NoSuchPerson):
            ask(text)
    with pytest.raises(NoSuchOrganisation):
        directory.organisation(text)
    with pytest.raises(NoSuchDevice):
        directory.device(text)


@pytest.mark.parametrize("text", ["*", "*)(uid=*", "\\2a", "(", ")", "\\"])
def test_filter_characters_are_searched_for_literally(filled: World, text: str) -> None:
    assert filled.directory("directory").people(text).items == ()


@pytest.mark.parametrize("text", ["\0", "x" * 101, "\ud800"])
def test_what_cannot_be_searched_for_is_refused(filled: World, text: str) -> None:
    with pytest.raises(BadName):
        filled.directory("directory").people(text)


def test_names_and_filters_are_escaped() -> None:
    assert rdn_value("a,b=c+d") == "a\\,b\\=c\\+d"
    assert equal("uid", "*)(x=\\") == "(uid=\\2a\\29\\28x=\\5c)"
    assert contains(("cn",), "伟*") == "(|(cn=*伟\\2a*))"
    for bad in ("", "\0"):
        with pytest.raises(BadName):
            rdn_value(bad)
        with pytest.raises(BadName):
            equal("uid", bad)


def test_lists_are_paged_by_key_without_gap_or_repetition(filled: World) -> None:
    directory = filled.directory("directory")
    seen: list[int] = []
    after = ""
    while True:
        page = directory.people(after=after, limit=73)
        seen += [person.number for person in page.items]
        after = page.after
        if not after:
            break
    assert len(seen) == 566
    assert seen == sorted(set(seen))


def test_roles_come_from_groups_and_leave_with_them(filled: World, li_na: Person) -> None:
    writer = filled.writer()
    writer.grant_role(li_na.subject, "ra-officer", actor="", reason="x")
    assert "ra-officer" in filled.directory("gateway").person(li_na.subject).roles
    writer.withdraw_role(li_na.subject, "ra-officer", actor="")
    # A post gives the rest.
    assert filled.directory("gateway").person(li_na.subject).roles == {"civil-servant", "case-worker"}


def test_mandates_that_have_run_out_are_not_shown(filled: World, chen_wei: Person) -> None:
    directory = filled.directory("signatures")
    assert directory.person(chen_wei.subject).mandates
    filled.clock.advance(timedelta(days=365 * 20))
    try:
        assert not directory.person(chen_wei.subject).mandates
    finally:
        filled.clock.advance(timedelta(days=-365 * 20))


def test_mandates_that_have_run_out_crowd_out_none_that_hold(own_world: World) -> None:
    body = "91999999ABCDEFGHJ"
    lines = [f"organisation,,company,A company,{body + credit_code_check(body)},,", "citizen,agent,,An agent,,,"]
    companies = [f"{body[:12]}{n:05d}" for n in range(MOST_FOR_READERS)]
    lines += [f"organisation,,c{n},A company,{code + credit_code_check(code)},," for n, code in enumerate(companies)]
    lines += [f"mandate,agent,,,,c{n},2026-11-01" for n in range(MOST_FOR_READERS)]
    lines += ["mandate,agent,,,,company,2030-01-01"]
    rows = [f"{line},all" if line.startswith("mandate") else f"{line}," for line in lines]
    table = "\r\n".join(["kind,username,id,name,credit_code,organisation,until,scope", *rows]).encode()
    report = own_world.writer().import_csv(table, actor="")
    assert report.refused == ()
    subject = own_world.directory("directory").person_by_username("agent").subject
    own_world.clock.advance(datetime(2026, 12, 1, tzinfo=UTC) - own_world.clock.now())
    assert [m.organisation for m in own_world.directory("signatures").person(subject).mandates] == ["company"]


def test_a_lost_connection_is_opened_again(own_world: World) -> None:
    directory = own_world.directory("directory")
    directory.check()
    own_world.kill()
    with pytest.raises(DirectoryUnavailable):
        directory.check()
    with pytest.raises(DirectoryUnavailable):
        directory.authenticate("chen.wei", PASSWORD)
    own_world.start()
    directory.check()


def test_a_server_that_hangs_is_given_up_in_time(own_world: World) -> None:
    directory = own_world.directory("directory", timeout=timedelta(seconds=0.3))
    directory.check()
    started = time.monotonic()
    with own_world.hanging():
        for ask in (directory.check, lambda: directory.authenticate("nobody", PASSWORD)):
            with pytest.raises(DirectoryUnavailable):
                ask()
    assert time.monotonic() - started < 5
    directory.check()


def test_a_server_that_restarted_between_two_questions_is_not_noticed(own_world: World) -> None:
    directory = own_world.directory("directory")
    directory.check()
    own_world.kill()
    own_world.start()
    directory.check()


def test_a_secret_that_the_server_does_not_take_is_no_answer(own_world: World) -> None:
    (own_world.site.folder("ca") / "ldap.secret").write_bytes(b"x" * 32)
    with pytest.raises(DirectoryUnavailable):
        own_world.directory("ca").check()


def test_threads_have_connections_of_their_own(filled: World, sso: Directory) -> None:
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(20):
                assert sso.person_by_username("chen.wei").name == "Chen Wei"
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failures.append(error)
        finally:
            sso.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []


def test_a_role_without_its_secret_does_not_start(filled: World) -> None:
    with pytest.raises(ConfigurationError):
        filled.directory("audit")


def test_credit_codes_are_checked() -> None:
    # The example of GB 32100-2015 as published by the standard's own tables is not ours to copy; made up here.
    body = "91999999ABCDEFGHJ"
    right = body + credit_code_check(body)
    assert credit_code_is_right(right)
    assert not credit_code_is_right(body + ("0" if right[-1] != "0" else "1"))
    for wrong in ("", right[:-1], right + "0", right.lower(), right.replace("A", "I"), "\0" * 18):
        assert not credit_code_is_right(wrong)
    swapped = right[1] + right[0] + right[2:]
    assert not credit_code_is_right(swapped)
