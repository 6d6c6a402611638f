# SPDX-License-Identifier: Apache-2.0
"""Two real providers that send each other every change: each killed in turn while somebody writes, and nothing lost."""

import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address

import ldap
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from audit import Outcome
from directory import slapd
from directory.backups import ldif
from directory.errors import DirectoryUnavailable, Pending, WrongCredentials
from directory.ldap import Pool, Server
from directory.ldap.connection import SECOND
from directory.models import Person
from directory.service import DirectoryWriter
from directory.service.providing import Providers, covers
from tests.directory.world import World, short_folder
from tests.fakes.ports import free_port

PATIENCE = 120.0


class Pair(World):
    """The sample city with a second provider."""

    def __init__(self, sample: World) -> None:
        super().__init__(short_folder())
        self._both: list[subprocess.Popen[bytes] | None] = [None, None]
        self.settings = replace(self.settings, second_port=free_port())
        # As a site has it, and not its own issuer: GnuTLS takes nobody's word for a certificate but an issuer's.
        where = slapd.places(self.site)
        for path, content in zip((where.certificate, where.key), chained(), strict=True):
            path.write_bytes(content)
        self.become(sample)

    def start(self) -> None:
        slapd.configure(self.settings, self.site)
        for place in (0, 1):
            self.run(place)

    def run(self, place: int) -> None:
        command = slapd.command(self.settings, self.site, second=bool(place))
        path = slapd.places(self.site, second=bool(place)).socket
        path.unlink(missing_ok=True)
        self._both[place] = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        until(path.exists)
        until(lambda: self.answers(place))

    def answers(self, place: int) -> bool:
        server = Server(url=slapd.socket_url(self.site, second=bool(place)), timeout=timedelta(seconds=1))
        try:
            server.check()
        except DirectoryUnavailable:
            return False
        return True

    def kill_one(self, place: int) -> None:
        process = self._both[place]
        assert process is not None
        process.kill()
        process.wait()
        self._both[place] = None

    def send(self, place: int, word: signal.Signals) -> None:
        process = self._both[place]
        assert process is not None
        process.send_signal(word)

    def pause(self) -> None:
        for place, process in enumerate(self._both):
            if process is not None:
                process.kill()
                process.wait()
                self._both[place] = None

    def alone(self, place: int) -> Pool:
        """The writer's identity at one of the two, whichever is written to."""
        server = Server(url=slapd.socket_url(self.site, second=bool(place)), timeout=timedelta(seconds=5))
        password = slapd.service_password(self.secrets["directory"])
        return Pool(server, bind_dn=self.tree.service("directory"), password=password)

    def tree_at(self, place: int) -> dict[str, list[tuple[str, bytes]]]:
        """Everything at one of the two, but for what each writes by itself."""
        command = [
            str(self.settings.slapd), "-T", "cat", "-n", "1", "-o", "ldif-wrap=no",
            "-F", str(slapd.places(self.site, second=bool(place)).configuration),
        ]  # fmt: skip
        told = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE).stdout
        own = {"contextcsn", "entrycsn", "modifiersname", "modifytimestamp"}
        found = ldif.entries([told])
        return {each.dn: sorted(pair for pair in each.values if pair[0].lower() not in own) for each in found}

    def together(self) -> bool:
        """Whether both have everything that the other one has."""
        numbers = [self.alone(place).read(self.tree.suffix, ["contextCSN"]) for place in (0, 1)]
        one, other = ({csn.split("#")[2]: csn for csn in each.texts("contextCSN")} if each else {} for each in numbers)
        return covers(0, one, other) and covers(1, other, one)


def chained() -> tuple[bytes, bytes]:
    """A certificate for the loopback address with its issuer's behind it, and its key."""
    above, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer, holder = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("issuer", "slapd"))
    now = datetime.now(UTC)
    made = []
    for name, public, extensions in (
        (holder, key.public_key(), (x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),)),
        (issuer, above.public_key(), ()),
    ):
        builder = x509.CertificateBuilder(issuer, name, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
        for each in extensions:
            builder = builder.add_extension(each, critical=False)
        made.append(builder.sign(above, hashes.SHA256()).public_bytes(Encoding.PEM))
    return b"".join(made), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def until(true: Callable[[], object]) -> None:
    """Wait for it, as long as a slow machine needs."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def both(sample: World) -> Iterator[Pair]:
    made = Pair(sample)
    yield made
    made.stop()
    shutil.rmtree(made.site.state)


@pytest.fixture
def pair(both: Pair) -> Pair:
    """Both run, have the same, and the first is written to; whatever the test before left."""
    for place in (0, 1):
        if not both.answers(place):
            both.run(place)
    both.store.go_over(second=False, records=())
    both.store.caught_up()
    writer = both.writer()
    providers_of(writer).tend()
    until(both.together)
    writer.watch.look()
    both.clear()
    return both


def providers_of(writer: DirectoryWriter) -> Providers:
    assert writer.providers is not None
    return writer.providers


@pytest.fixture
def li_na(pair: Pair) -> Person:
    return pair.directory("directory").person_by_username("li.na")


def test_each_has_at_once_what_the_other_took(pair: Pair, li_na: Person) -> None:
    pair.writer().disable_person(li_na.subject, actor="", reason="r")
    dn = pair.tree.person(li_na.subject)
    until(lambda: _enabled(pair.alone(1), dn) == "FALSE")
    pair.alone(1).replace(dn, "tallyEnabled", ["TRUE"])
    until(lambda: _enabled(pair.alone(0), dn) == "TRUE")
    # Made at the second one by somebody who knows a secret: an alarm, once, and what the writer did is none.
    writer = pair.writer()
    assert writer.watch.look() == 1
    assert writer.watch.look() == 0
    assert writer.unrecorded.newest()[0].seen.dn == dn
    writer.unrecorded.keep(writer.unrecorded.newest()[0].number, actor="a1", reason="test")
    until(pair.together)
    assert pair.tree_at(0) == pair.tree_at(1)


@pytest.mark.parametrize("place", [0, 1])
def test_readers_go_on_when_one_dies(pair: Pair, li_na: Person, place: int) -> None:
    reader = pair.directory("sso")
    assert reader.person(li_na.subject).enabled
    pair.kill_one(place)
    begun = time.monotonic()
    assert reader.person(li_na.subject).subject == li_na.subject
    assert pair.directory("gateway").person(li_na.subject).subject == li_na.subject
    with pytest.raises(WrongCredentials):
        reader.authenticate("li.na", "not the password")
    reader.check()
    # Milliseconds on a quiet machine: nothing in it waits for the time limit of a connection, which is five seconds.
    assert time.monotonic() - begun < PATIENCE


def test_readers_go_on_when_one_hangs(pair: Pair, li_na: Person) -> None:
    pair.send(0, signal.SIGSTOP)
    try:
        assert pair.directory("gateway").person(li_na.subject).subject == li_na.subject
    finally:
        pair.send(0, signal.SIGCONT)


def test_what_one_alone_acknowledged_is_not_lost_with_it(pair: Pair, li_na: Person) -> None:
    writer, dn = pair.writer(), pair.tree.person(li_na.subject)
    # The second one hears nothing of these.
    pair.kill_one(1)
    writer.disable_person(li_na.subject, actor="", reason="left")
    writer.grant_role(li_na.subject, "ra-officer", actor="", reason="r")
    assert pair.store.made_last()
    pair.kill_one(0)
    pair.run(1)
    assert _enabled(pair.alone(1), dn) == "TRUE"
    with pytest.raises((Pending, DirectoryUnavailable)):
        writer.enable_person(li_na.subject, actor="")
    pair.clear()
    assert providers_of(writer).tend()
    changed = next(each for each in pair.outbox() if each.type == "directory.provider.changed")
    assert (changed.attributes["provider"], changed.attributes["lost"]) == ("second", 0)
    assert _enabled(pair.alone(1), dn) == "FALSE"
    person = pair.directory("sso").person(li_na.subject)
    assert "ra-officer" in person.roles
    assert not person.enabled
    # Written on at the second one, by this and by any other process.
    pair.writer().enable_person(li_na.subject, actor="")
    assert pair.store.made_last()
    # The first one comes back with what only it had, and both come together.
    pair.run(0)
    until(pair.together)
    assert pair.tree_at(0) == pair.tree_at(1)
    assert pair.directory("sso").person(li_na.subject).enabled
    assert not providers_of(writer).tend()
    until(lambda: not (providers_of(writer).tend() or pair.store.made_last()))
    assert pair.writer().watch.look() == 0, "making it again is on record"
    writer.withdraw_role(li_na.subject, "ra-officer", actor="", reason="r")


def test_a_password_waits_for_the_other_one_and_its_loss_is_told(pair: Pair, li_na: Person) -> None:
    writer, dn = pair.writer(), pair.tree.person(li_na.subject)
    writer.set_password(li_na.subject, "a whole other sentence 7", actor="")
    assert pair.alone(1).proves(dn, "a whole other sentence 7")
    pair.kill_one(1)
    writer.set_password(li_na.subject, "one more other sentence 8", actor="")
    pair.kill_one(0)
    pair.run(1)
    pair.clear()
    assert providers_of(writer).tend()
    lost = [each for each in pair.outbox() if each.type == "directory.password.lost"]
    assert [(each.subject, each.outcome) for each in lost] == [(li_na.subject, Outcome.SUCCESS)]
    assert pair.alone(1).proves(dn, "a whole other sentence 7")


def test_under_load_each_is_killed_in_turn_and_no_answer_was_wrong(pair: Pair, li_na: Person) -> None:
    done = threading.Event()
    said: list[bool] = []

    def write(writer: DirectoryWriter) -> None:
        is_on = True
        while not done.is_set():
            try:
                if is_on:
                    writer.disable_person(li_na.subject, actor="", reason="load")
                else:
                    writer.enable_person(li_na.subject, actor="")
            except Pending:
                # Decided: it will be so.
                pass
            except DirectoryUnavailable:
                time.sleep(0.01)
                continue
            is_on = not is_on
            said.append(is_on)

    def tend(writer: DirectoryWriter) -> None:
        while not done.is_set():
            for verb in (providers_of(writer).tend, writer.replay):
                try:
                    verb()
                except DirectoryUnavailable:
                    continue
            time.sleep(0.02)

    threads = [threading.Thread(target=work, args=(pair.writer(),)) for work in (write, tend)]
    for thread in threads:
        thread.start()
    try:
        for place in (0, 1):
            until(partial(_more, said, than=len(said) + 5))
            pair.kill_one(place)
            until(partial(_is_written, pair, 1 - place))
            until(partial(_more, said, than=len(said) + 5))
            pair.run(place)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    writer = pair.writer()
    providers_of(writer).tend()
    writer.replay()
    until(pair.together)
    assert pair.tree_at(0) == pair.tree_at(1)
    assert pair.directory("sso").person(li_na.subject).enabled is said[-1]
    if not said[-1]:
        writer.enable_person(li_na.subject, actor="")


def test_what_both_were_told_while_apart_comes_together(pair: Pair, li_na: Person) -> None:
    dn = pair.tree.person(li_na.subject)
    pair.kill_one(1)
    pair.alone(0).replace(dn, "telephoneNumber", ["1"])
    pair.kill_one(0)
    pair.run(1)
    pair.alone(1).replace(dn, "telephoneNumber", ["2"])
    pair.run(0)
    until(pair.together)
    until(lambda: _one(pair.alone(0), dn, "telephoneNumber") == "2")
    assert pair.tree_at(0) == pair.tree_at(1)


def test_the_replicator_reads_all_and_writes_nothing(pair: Pair, li_na: Person) -> None:
    where = slapd.places(pair.site)
    connection = ldap.initialize(f"ldaps://127.0.0.1:{pair.settings.second_port}/")
    for option, value in (
        (ldap.OPT_X_TLS_CACERTFILE, where.certificate), (ldap.OPT_X_TLS_CERTFILE, where.certificate),
        (ldap.OPT_X_TLS_KEYFILE, where.key),
    ):  # fmt: skip
        connection.set_option(option, str(value))
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    connection.sasl_external_bind_s()
    assert connection.whoami_s() == f"dn:cn=replicator,{pair.tree.suffix}"
    dn = pair.tree.person(li_na.subject)
    acts: tuple[Callable[[], object], ...] = (
        lambda: connection.modify_s(dn, [(ldap.MOD_REPLACE, "tallyEnabled", [b"TRUE"])]),
        lambda: connection.delete_s(dn),
        lambda: connection.passwd_s(dn, None, b"a whole other sentence 9"),
    )
    for act in acts:
        with pytest.raises(ldap.INSUFFICIENT_ACCESS):
            act()
    connection.unbind_s()


def test_a_second_one_begins_again_as_a_copy(pair: Pair, li_na: Person) -> None:
    pair.writer().disable_person(li_na.subject, actor="", reason="r")
    pair.pause()
    slapd.forget_second(pair.site)
    pair.store.forget_watched("second")
    pair.start()
    assert pair.tree_at(0) == pair.tree_at(1)
    writer = pair.writer()
    writer.enable_person(li_na.subject, actor="")
    until(pair.together)
    assert writer.watch.look() == 0


def test_readers_are_told_which_one_is_written_to(pair: Pair) -> None:
    providers = providers_of(pair.writer())
    path = pair.site.socket("directory", "written")
    assert path.read_bytes() == b"first"
    pair.store.go_over(second=True, records=())
    providers.tend()
    assert path.read_bytes() == SECOND


def _more(said: list[bool], *, than: int) -> bool:
    return len(said) > than


def _is_written(pair: Pair, place: int) -> bool:
    return int(pair.store.at_second()) == place


def _enabled(pool: Pool, dn: str) -> str:
    return _one(pool, dn, "tallyEnabled")


def _one(pool: Pool, dn: str, attribute: str) -> str:
    entry = pool.read(dn, [attribute])
    return entry.text(attribute) if entry else ""
