# SPDX-License-Identifier: Apache-2.0
"""Whoever holds a certificate that ends is told once for each step, and nobody else is told anything."""

import base64
import dataclasses
import os
import signal
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from audit import Outcome
from ca import CASettings, Reason
from ca.ceremony import MIGRATIONS
from ca.config import MailSecurity, NoticeSettings
from ca.models import Standing, State
from ca.notices import (
    Board,
    Channel,
    Due,
    Mailer,
    MailFailed,
    Notices,
    NoticeState,
    Words,
    letter,
    open_mailer,
    open_webhook,
)
from ca.notices.letters import allowed
from ca.notices.service import renews
from ca.service import CertificateAuthority
from ca.service.notes import event, note
from ca.store import Store
from ca.store.issuances import row_of
from ca.store.tables import certificates
from core.config import ConfigurationError, decode
from core.db import Database, migrate
from tests.fakes import postgres
from tests.fakes.clock import ManualClock
from tests.fakes.mail_sink import MailServer, Sink
from tests.fakes.people import AGENCY, CITIZEN, CLERK, KIOSK
from tests.fakes.receivers import Answer, TestAuthority, WebhookReceiver, hmac_check, server_context

from .world import World, ask, intent, loaded

MAIL = "xiaoming@mail.example"
SECRET = b"s" * 32
WORDS = Words(
    site=("Sample City", "示范市"),
    kinds={"citizen": ("Citizen: login", "公民登录")},
    where="https://certificates.city.localhost/my",
)
DAY = timedelta(days=1)


class House:
    """A world's notices with a real mail server and a real webhook receiver."""

    def __init__(self, world: World, folder: Path, **changed: Any) -> None:
        self.world = world
        self.authority = TestAuthority(folder)
        self.sink = Sink()
        tls = server_context(*self.authority.issue("localhost"))
        self.mail = MailServer(self.sink, tls)
        self.hook = WebhookReceiver(tls, hmac_check(SECRET))
        (folder / "hook.secret").write_bytes(SECRET)
        (folder / "hook.secret").chmod(0o600)
        self.settings = NoticeSettings(
            **{
                "server": f"localhost:{self.mail.port}",
                "roots": self.authority.roots,
                "sender": "pki@city.localhost",
                "domains": ("mail.example",),
                "webhook": f"https://localhost:{self.hook.port}/in",
                "webhook_secret": folder / "hook.secret",
                "webhook_roots": self.authority.roots,
                "webhook_private": True,
                **changed,
            }
        )
        self.notices = self.open()

    def open(self, board: Board | None = None) -> Notices:
        return Notices(
            board=board or Board(self.world.database),
            settings=self.settings,
            directory=self.world.directory,
            words=WORDS,
            domain="city.localhost",
            clock=self.world.clock,
            mailer=open_mailer(self.settings, own_name="city.localhost"),
            webhook=open_webhook(self.settings),
        )

    def posted(self) -> list[tuple[str, int]]:
        return [(body["data"]["serial"], body["data"]["days"]) for _, body in self.hook.bodies]

    def close(self) -> None:
        self.mail.close()
        self.hook.close()


@pytest.fixture
def house(world: World, tmp_path: Path) -> Iterator[House]:
    person = dataclasses.replace(CITIZEN, mail=MAIL)
    world.directory.people[CITIZEN.subject] = person
    with closing(House(world, tmp_path)) as made:
        yield made


def _near(world: World, authority: CertificateAuthority, *, days: float = 29.5, profile: str = "citizen") -> str:
    """A certificate, on a clock that stands so many days before its end."""
    issued = authority.issue(ask(profile))
    world.clock.advance(loaded(issued).not_valid_after_utc - world.clock.now() - timedelta(days=days))
    return issued.serial


def _told(house: House, serial: str) -> list[tuple[int, Channel, NoticeState]]:
    return [(each.step, each.channel, each.state) for each in house.notices.board.told(serial)]


def test_a_holder_is_told_at_each_step_and_no_more(house: House, authority: CertificateAuthority) -> None:
    serial = _near(house.world, authority, days=31)
    house.notices.round()
    assert house.sink.letters == []
    for days, many in ((1.5, 1), (1, 1), (15, 2), (0.1, 2), (7, 3), (1, 3), (4.8, 4), (0.2, 4)):
        house.world.clock.advance(timedelta(days=days))
        house.notices.round()
        house.notices.round()
        assert len(house.sink.letters) == many
    assert house.posted() == [(serial, each) for each in (30, 14, 7, 1)]
    assert len({message["Message-ID"] for message in house.sink.messages()}) == 4
    assert _told(house, serial) == [
        (step, channel, NoticeState.SENT) for step in (30, 14, 7, 1) for channel in (Channel.MAIL, Channel.WEBHOOK)
    ]
    events = [each for each in house.world.outbox() if each.type == "ca.notice.sent"]
    assert len(events) == 8
    assert {each.subject for each in events} == {CITIZEN.subject}
    assert MAIL not in str(events)


def test_the_letter_says_it_in_both_languages(house: House, authority: CertificateAuthority) -> None:
    serial = _near(house.world, authority)
    house.notices.round()
    (sender, to, _), message = house.sink.letters[0], house.sink.messages()[0]
    assert (sender, to) == ("pki@city.localhost", [MAIL])
    assert (message["To"], message["Auto-Submitted"]) == (MAIL, "auto-generated")
    assert message["From"].addresses[0].display_name == "Sample City"
    assert message["Subject"].startswith("证书将于 ")
    assert "Certificate ends on" in message["Subject"]
    said = message.get_content()
    for words in ("王小明", "公民登录", "Citizen: login", serial, "示范市", WORDS.where, "请在到期前更换"):
        assert words in said
    assert message["Message-ID"].endswith("@city.localhost>")
    # Nothing but ASCII on the wire.
    assert house.sink.letters[0][2].isascii()
    assert house.hook.faults == []


def test_who_was_away_for_weeks_gets_one_letter(house: House, authority: CertificateAuthority) -> None:
    serial = _near(house.world, authority, days=6)
    house.notices.round()
    assert [each.step for each in house.notices.board.told(serial)] == [7, 7]
    house.world.clock.advance(timedelta(days=5.5))
    house.notices.round()
    assert [each[1] for each in house.posted()] == [7, 1]


def test_what_was_renewed_or_revoked_or_ended_is_not_told(house: House, authority: CertificateAuthority) -> None:
    renewed = _near(house.world, authority)
    authority.issue(ask())
    revoked = authority.issue(ask("civil-servant", subject=CLERK.subject)).serial
    house.notices.round()
    assert house.sink.letters == []
    assert _told(house, renewed) == [
        (30, Channel.MAIL, NoticeState.DROPPED),
        (30, Channel.WEBHOOK, NoticeState.DROPPED),
    ]
    authority.revoke(revoked, reason=Reason.SUPERSEDED, actor="x")
    house.world.clock.advance(timedelta(days=340))
    house.notices.round()
    assert _told(house, revoked) == []


PAGE = "https://acme.city.localhost/notices/abc"


def test_holders_who_do_not_ask_by_acme_are_told_of_an_incident_once(
    house: House, authority: CertificateAuthority
) -> None:
    person, device = authority.issue(ask()).serial, authority.issue(ask("device-client", subject=KIOSK.id)).serial
    machine = authority.issue(ask("device-client", subject=KIOSK.id, actor="another"))
    gone = authority.issue(ask("civil-servant", subject=CLERK.subject)).serial
    authority.revoke(gone, reason=Reason.KEY_COMPROMISE, actor="x")
    for _ in range(2):
        told = house.notices.tell([person, device, machine.serial, gone, "ab"], explanation=PAGE, apart_from="another")
        assert told == 5
        house.notices.round()
    # A person by letter, everybody by the webhook; whoever has no address is no failure of the device's.
    (message,) = house.sink.messages()
    said = message.get_content()
    for words in (person, PAGE, "须更换", "to be replaced", "王小明", WORDS.where):
        assert words in said
    assert "revoked" not in said
    assert "到期" not in message["Subject"]
    bodies = {body["data"]["serial"]: body for _, body in house.hook.bodies}
    assert bodies.keys() == {person, device, gone}
    assert {body["type"] for body in bodies.values()} == {"certificate.incident"}
    assert {(body["data"]["explanation"], "days" in body["data"]) for body in bodies.values()} == {(PAGE, False)}
    # Of what was revoked its holder hears just as well.
    assert [serial for serial, body in bodies.items() if not body["data"]["good"]] == [gone]
    assert {each.about for each in house.notices.board.told(person)} == {PAGE}
    events = [each for each in house.world.outbox() if each.type == "ca.notice.sent"]
    assert len(events) == 4


def test_an_incident_of_what_was_renewed_meanwhile_is_not_told(house: House, authority: CertificateAuthority) -> None:
    old = authority.issue(ask()).serial
    house.world.clock.advance(timedelta(days=1))
    house.notices.tell([old], explanation=PAGE, apart_from="role:x")
    authority.issue(ask())
    house.notices.round()
    assert house.sink.letters == []
    assert {state for _, _, state in _told(house, old)} == {NoticeState.DROPPED}


def test_a_letter_that_waits_is_not_sent_when_it_is_no_longer_true(
    house: House, authority: CertificateAuthority
) -> None:
    serial = _near(house.world, authority)
    house.sink.answers = ["451 later"]
    house.hook.answers = [Answer(503)]
    house.notices.round()
    assert {state for _, _, state in _told(house, serial)} == {NoticeState.WAITING}
    authority.revoke(serial, reason=Reason.SUPERSEDED, actor="x")
    house.world.clock.advance(timedelta(hours=1))
    house.notices.round()
    assert {state for _, _, state in _told(house, serial)} == {NoticeState.DROPPED}
    assert (house.sink.letters, house.hook.bodies) == ([], [])


def test_a_server_that_is_away_is_asked_again_under_the_same_name(
    house: House, authority: CertificateAuthority
) -> None:
    _near(house.world, authority)
    house.sink.answers = ["451 later", "451 later"]
    house.hook.answers = [Answer(503, {"Retry-After": "1800"})]
    for minutes in (0, 0.5, 2, 1, 5, 30):
        house.world.clock.advance(timedelta(minutes=minutes))
        house.notices.round()
    assert len(house.sink.letters) == len(house.hook.bodies) == 1


def test_a_death_between_delivery_and_note_repeats_the_same_letter(
    house: House, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    serial = _near(house.world, authority)

    class Dying(Board):
        def end(self, *_given: Any, **_named: Any) -> bool:
            os.kill(os.getpid(), signal.SIGKILL)
            return False

    child = os.fork()
    if child == 0:
        # Threads of the servers live in the parent; this process only sends, and dies.
        database = Database.open(str(house.world.database.engine.url))
        house.open(Dying(database)).round()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert len(house.sink.letters) == 1
    # Nobody else touches it while whoever took it may be at work.
    house.notices.round()
    mails = [each for each in house.sink.messages() if serial in each.get_content()]
    assert len(mails) == 1
    house.world.clock.advance(timedelta(minutes=11))
    house.notices.round()
    names = [each["Message-ID"] for each in house.sink.messages()]
    assert len(names) == 2
    assert len(set(names)) == 1
    house.world.clock.advance(timedelta(hours=1))
    house.notices.round()
    assert len(house.sink.letters) == 2


def test_a_refused_address_and_nobody_to_tell_are_said(house: House, authority: CertificateAuthority) -> None:
    house.sink.refused = {MAIL}
    serial = _near(house.world, authority)
    house.notices.round()
    assert (30, Channel.MAIL, NoticeState.FAILED) in _told(house, serial)
    failed = [each for each in house.world.outbox() if each.type == "ca.notice.failed"]
    assert [each.attributes["reason"] for each in failed] == ["the-recipient-is-refused"]
    assert house.notices.board.numbers(since=house.world.clock.now() - DAY) == (0, 1)


@pytest.mark.parametrize(
    "address",
    [
        "a@other.example",
        "a@mail.example.evil.example",
        "a@evil.mail.example",
        "a@mail.example\nBcc: b@evil.example",
        "a@mail.example,b@evil.example",
        "a@mail.example b@evil.example",
        "<a@mail.example>",
        '"a b"@mail.example',
        "a@MAIL.example",
        "@mail.example",
        "a@",
        "a@b@mail.example",
        "王@mail.example",
        "a" * 65 + "@mail.example",
        "-oQ/tmp@mail.example x",
        "",
    ],
)
def test_no_address_that_the_site_has_not_allowed_is_written_to(
    house: House, authority: CertificateAuthority, address: str
) -> None:
    house.world.directory.people[CITIZEN.subject] = dataclasses.replace(CITIZEN, mail=address)
    assert not allowed(address, ("mail.example",))
    serial = _near(house.world, authority)
    house.notices.round()
    assert house.sink.letters == []
    assert (30, Channel.MAIL, NoticeState.FAILED) in _told(house, serial)


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: evil@x.example", "a\x00b", "\u202eevil", "=?utf-8?q?x?=", "x" * 500, "王\n\n."]
)
def test_a_name_cannot_become_a_header(house: House, authority: CertificateAuthority, name: str) -> None:
    serial = _near(house.world, authority)
    with house.world.database.transaction() as connection:
        connection.execute(
            text("UPDATE certificates SET name = :n WHERE serial = :s"),
            {"n": name, "s": serial},
        )
    house.notices.round()
    message = house.sink.messages()[0]
    assert message["Bcc"] is None
    assert [each for _, to, _ in house.sink.letters for each in to] == [MAIL]
    assert "\u202e" not in message.get_content()


def test_operators_get_copies_and_machines_are_told_to_them(world: World, tmp_path: Path) -> None:
    authority = world.open()
    with closing(House(world, tmp_path, copies=("ops@city.localhost",), domains=())) as house:
        issued = authority.issue(ask("device-client", subject=KIOSK.id))
        world.clock.advance(loaded(issued).not_valid_after_utc - world.clock.now() - timedelta(days=6))
        house.notices.round()
        about = [
            to
            for _, to, raw in house.sink.letters
            if issued.serial.encode() in base64.b64decode(raw.split(b"\r\n\r\n", 1)[1])
        ]
        assert about == [["ops@city.localhost"]]
        # Delegates renew themselves.
        assert not any("ocsp" in message.get_content() for message in house.sink.messages())


def test_profiles_have_steps_of_their_own(world: World, tmp_path: Path) -> None:
    authority = world.open()
    steps = {"ocsp": (), "citizen": (3,), "citizen-signing": ()}
    with closing(House(world, tmp_path, profiles=steps)) as house:
        serial = _near(world, authority)
        quiet = authority.issue(ask("citizen-signing")).serial
        house.notices.round()
        world.clock.advance(timedelta(days=27))
        house.notices.round()
        assert [each for each in house.posted() if each[0] == serial] == [(serial, 3)]
        world.clock.advance(timedelta(days=1090))
        house.notices.round()
        assert not [each for each in house.posted() if each[0] == quiet]


def test_without_settings_nothing_is_sent_or_kept(world: World, authority: CertificateAuthority) -> None:
    serial = _near(world, authority)
    board = Board(world.database)
    settings = CASettings().notices
    assert open_mailer(settings, own_name="x") is None
    assert open_webhook(settings) is None
    notices = Notices(
        board=board,
        settings=settings,
        directory=world.directory,
        words=WORDS,
        domain="city.localhost",
        clock=world.clock,
    )
    assert notices.round() == 0
    assert board.told(serial) == []


def test_a_server_without_tls_or_of_a_stranger_gets_nothing(house: House, tmp_path: Path) -> None:
    sink = Sink()
    plain = MailServer(sink, None)
    message = letter_for()
    with closing(plain), pytest.raises(MailFailed, match="TLS"):
        _mailer(plain.port, house.authority).send(message, sender="a@b.example", to=["c@d.example"])
    (tmp_path / "other").mkdir()
    with pytest.raises(MailFailed, match="certificate"):
        _mailer(house.mail.port, TestAuthority(tmp_path / "other", "Stranger")).send(
            message, sender="a@b.example", to=["c@d.example"]
        )
    with pytest.raises(MailFailed):
        _mailer(1, house.authority).send(message, sender="a@b.example", to=["c@d.example"])
    assert sink.letters == house.sink.letters == []


def test_a_password_is_sent_over_tls_alone_and_never_said(house: House, tmp_path: Path) -> None:
    sink = Sink()
    server = MailServer(sink, server_context(*house.authority.issue("localhost")), login=True)
    with closing(server):
        _mailer(server.port, house.authority, login=("me", "right password")).send(
            letter_for(), sender="a@b.example", to=["c@d.example"]
        )
        assert (len(sink.letters), sink.logins[0]) == (1, (b"me", b"right password"))
        with pytest.raises(MailFailed) as failed:
            _mailer(server.port, house.authority, login=("me", "wrong password"), timeout=2).send(
                letter_for(), sender="a@b.example", to=["c@d.example"]
            )
    assert "wrong password" not in repr(failed.value) + str(failed.value.__cause__)
    assert failed.value.__cause__ is None
    secret = tmp_path / "mail.password"
    secret.write_text("p\n")
    secret.chmod(0o644)
    settings = NoticeSettings(server="localhost:25", sender="a@b.example", user="me", password=secret)
    with pytest.raises(ConfigurationError, match="readable"):
        open_mailer(settings, own_name="x")


@pytest.mark.parametrize(
    "table",
    [
        {"steps": [0]},
        {"steps": [400]},
        {"server": "mail.example"},
        {"server": "mail.example:25", "sender": "a@b.example", "security": "none"},
        {"server": "mail.example:25", "sender": "nobody"},
        {"server": "mail.example:25", "sender": "a@b.example\r\nX: y"},
        {"user": "me"},
        {"domains": ["a@b.example"]},
        {"domains": ["Mail.example"]},
        {"copies": ["a,b@c.example"]},
        {"webhook": "http://x/"},
        {"webhook": "https://x/"},
    ],
)
def test_settings_that_would_send_astray_are_refused(table: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        decode(NoticeSettings, table, where="ca.notices", folder=tmp_path)


def letter_for() -> Any:
    now = ManualClock().now()
    due = Due(
        about="",
        id="0" * 32,
        serial="1f",
        step=7,
        channel=Channel.MAIL,
        tries=1,
        profile="citizen",
        subject=CITIZEN.subject,
        name="x",
        not_after=now,
        good=True,
        der=b"",
        position=1,
    )
    return letter(
        due,
        to=["c@d.example"],
        sender="a@b.example",
        domain="b.example",
        site=WORDS.site,
        kind=("x", "y"),
        where="",
        at=now,
    )


def _mailer(
    port: int, authority: TestAuthority, *, login: tuple[str, str] | None = None, timeout: float = 20
) -> Mailer:
    context = ssl.create_default_context(cafile=str(authority.roots))
    return Mailer(
        "localhost", port, security=MailSecurity.STARTTLS, context=context, own_name="x", login=login, timeout=timeout
    )


def test_what_renews_what(authority: CertificateAuthority, world: World) -> None:
    def der(profile: str, subject: str, *hosts: str) -> bytes:
        issued = authority.issue(dataclasses.replace(ask(profile, subject=subject), hosts=hosts))
        return world.store.certificate(issued.serial).der

    one = der("device-server", KIOSK.id, "a.city.localhost")
    both = der("device-server", KIOSK.id, "a.city.localhost", "b.city.localhost")
    assert renews(both, one)
    assert not renews(one, both)
    assert renews(der("organisation-seal", AGENCY.id), der("organisation-seal", AGENCY.id))
    assert not renews(b"", one)


@pytest.fixture(scope="module")
def server(postgres_server: Path) -> Iterator[Database]:
    opened = Database.open(postgres.migrated(postgres_server, MIGRATIONS))
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        opened: Database = request.getfixturevalue("server")
        yield opened
        return
    opened = Database.open(f"sqlite:///{tmp_path}/ca.db")
    migrate(opened, MIGRATIONS)
    yield opened
    opened.close()


def test_planning_meets_everything_once_on_both_databases(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ca.notices.store._AT_ONCE", 20)
    board, clock, many = Board(database), ManualClock(), 70
    rows = []
    for number in range(many):
        made = intent(format((1 << 136) + number, "x"), at=clock.now(), key_hash=format(number, "064x"))
        # All end in one of two seconds.
        row = {**row_of(made), "state": State.DELIVERED, "der": b"d", "tbs": b""}
        row["not_after"] = int((clock.now() + timedelta(days=20, seconds=number % 2)).timestamp())
        rows.append(row)
    with database.transaction() as connection:
        connection.execute(certificates.insert(), rows)
    told = note(event("ca.certificate.revoked", Outcome.SUCCESS, at=clock.now(), actor="role:ca", serial="1f"))
    Store(database).withdraw(
        rows[5]["serial"], standing=Standing.REVOKED, reason=Reason.SUPERSEDED, at=clock.now(), note=told
    )
    for _ in range(2):
        board.plan((30, 14), [Channel.WEBHOOK], lambda _: (30, 14), site="s", at=clock.now())
    taken: list[str] = []
    while some := board.take(at=clock.now()):
        taken += [each.id for each in some]
    assert len(taken) == len(set(taken)) == many - 1
    for each in taken:
        assert board.end(each, NoticeState.SENT, at=clock.now())
        assert not board.end(each, NoticeState.SENT, at=clock.now())
    assert board.numbers(since=clock.now()) == (0, 0)
    clock.advance(timedelta(days=7))
    assert board.plan((30, 14), [Channel.WEBHOOK], lambda _: (30, 14), site="s", at=clock.now()) == many - 1
    # Of an incident each is told once, however often it is asked for, and pages hold each once.
    every = [row["serial"] for row in rows]
    for number in range(2):
        board.tell(every, lambda _: [Channel.WEBHOOK], about=PAGE, apart_from="x", site="s", at=clock.now())
        found: list[str] = []
        before = 0
        while True:
            page, before = board.newest(state=NoticeState.WAITING, before=before, limit=30)
            found += [each.serial for each in page if each.about == PAGE]
            if not before:
                break
        assert sorted(found) == every, number
