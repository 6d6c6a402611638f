# SPDX-License-Identifier: Apache-2.0
"""Backups of the directory: sealed so that nothing of them can be changed, and leading back to exactly one moment."""

import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import Outcome
from core.config import ConfigurationError
from directory import slapd
from directory.backups import Register, Vault, fingerprint, ldif, make_keys, read_private, read_public
from directory.backups.sealing import PIECE, seal, unseal
from directory.errors import BadBackupKey, BeyondBackup, BrokenBackup, DirectoryUnavailable, WrongBackupKey
from directory.service import preserving
from tests.directory.test_watching import rogue
from tests.directory.world import World

KEY = bytes(range(32))
PRIVATE, PUBLIC = make_keys()
SUFFIX = "dc=city,dc=example"


def sealed(data: bytes, part: str = "tree") -> bytes:
    file = io.BytesIO()
    seal([data], file, key=KEY, part=part)
    return file.getvalue()


@pytest.mark.parametrize("length", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_is_sealed_comes_back(length: int) -> None:
    data = bytes(length)
    assert b"".join(unseal(io.BytesIO(sealed(data)), key=KEY, part="tree")) == data


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-1],
        lambda data: data[: PIECE + 16],
        lambda _: b"",
        lambda data: data[:5] + bytes([data[5] ^ 1]) + data[6:],
        lambda data: data + data[-20:],
        lambda data: data[PIECE + 16 : 2 * (PIECE + 16)] + data[: PIECE + 16] + data[2 * (PIECE + 16) :],
        lambda _: sealed(bytes(2 * PIECE + 9), part="changes"),
    ],
    ids=["cut", "cut between pieces", "empty", "changed", "longer", "pieces exchanged", "another part"],
)
def test_what_was_changed_does_not_open(harm: Callable[[bytes], bytes]) -> None:
    broken = harm(sealed(bytes(2 * PIECE + 9)))
    with pytest.raises(BrokenBackup):
        list(unseal(io.BytesIO(broken), key=KEY, part="tree"))


@pytest.mark.parametrize("text", ["", "x", PUBLIC, PRIVATE[:-9], "tallygate-backup-private-1 ?", PRIVATE.upper()])
def test_only_a_private_key_opens(text: str) -> None:
    with pytest.raises(BadBackupKey):
        read_private(text)


def test_a_private_key_is_no_public_one() -> None:
    with pytest.raises(BadBackupKey):
        read_public(PRIVATE)
    with pytest.raises(BadBackupKey):
        read_public("tallygate-backup-public-1 " + "/" * 1620 + "/w==")
    assert fingerprint(PUBLIC) == fingerprint(f" {PUBLIC} ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small whole backup."""
    place = tmp_path / "backup"
    with Vault.create(place) as vault:
        vault.begin("tree")
        vault.put("tree", [b"dn: dc=city\n", b"o: city\n\n"])
        vault.close(read_public(PUBLIC), at="2026-11-20T08:00:00+00:00", suffix=SUFFIX, newest="1")
        vault.verify()
    return place


def _opened(folder: Path, private: str = PRIVATE) -> bytes:
    with Vault.open(folder, read_private(private)) as vault:
        vault.verify()
        return b"".join(vault.read("tree"))


def test_a_backup_opens_with_its_key_alone(folder: Path) -> None:
    assert _opened(folder) == b"dn: dc=city\no: city\n\n"
    with pytest.raises(WrongBackupKey):
        _opened(folder, make_keys()[0])
    assert b"city\n" not in b"".join(path.read_bytes() for path in folder.iterdir())


def _manifest(folder: Path, **changed: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changed))


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: _manifest(folder, at="2026-11-21T08:00:00+00:00"),
        lambda folder: _manifest(folder, suffix="dc=elsewhere"),
        lambda folder: _manifest(folder, parts={}),
        lambda folder: _manifest(folder, format=2),
        lambda folder: _manifest(folder, key=None),
        lambda folder: _manifest(folder, mac=None),
        lambda folder: (folder / "manifest.json").write_text("[]"),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "tree").unlink(),
        lambda folder: (folder / "tree").write_bytes((folder / "tree").read_bytes()[:-1]),
    ],
)
def test_a_changed_backup_is_refused_whole(folder: Path, harm: Callable[[Path], object]) -> None:
    harm(folder)
    with pytest.raises(BrokenBackup):
        _opened(folder)


NOTE = "dn: reqStart={n},cn=changes\nreqType: {verb}\nreqDN: {dn}\nentryCSN: 20261120080000.{n:06}Z#000000#000#000000\n"
ADDED = "reqMod: objectClass:+ tallyRole\nreqMod: cn:+ a\nreqMod: entryCSN:+ 20261120080000.{n:06}Z#000000#000#000000\n"


def _notes(*told: tuple[str, str, str]) -> Iterator[ldif.Entry]:
    for n, (verb, dn, more) in enumerate(told, 1):
        stamp = f"reqMod: entryCSN:= 20261120080000.{n:06}Z#000000#000#000000\n" if verb != "add" else ""
        yield from ldif.entries([(NOTE + more + stamp).format(n=n, verb=verb, dn=dn).encode()])


@pytest.mark.parametrize(
    ("mods", "left"),
    [
        ("reqMod: cn:+ b\n", ["a", "b"]),
        ("reqMod: cn:= b\nreqMod: cn:= c\n", ["b", "c"]),
        ("reqMod: cn:= b\nreqMod: :\nreqMod: cn:= c\n", ["c"]),
        ("reqMod: cn:- A\nreqMod: cn:+ z\n", ["z"]),
        ("reqMod: cn:-\n", []),
        ("reqMod: cn:=\n", []),
        ("reqMod: cn:- nobody\n", ["a"]),
        ("reqMod: cn:- \n", ["a"]),
        ("reqMod: CN:+ b\n", ["a", "b"]),
    ],
)
def test_each_kind_of_change_is_made_as_the_server_makes_it(mods: str, left: list[str]) -> None:
    with Register(":memory:") as register:
        register.advance(_notes(("add", "cn=a,dc=x", ADDED), ("modify", "CN=A,dc=x", mods)), to=None)
        (entry,) = register.entries()
        assert [value.decode() for value in entry.all("cn")] == left


def test_a_group_follows_whoever_is_renamed_and_forgets_whoever_is_gone() -> None:
    member = "reqMod: member:+ cn=a,dc=x\nreqMod: member:+ cn=gone,dc=x\n"
    rename = "reqNewRDN: cn=b\nreqDeleteOldRDN: TRUE\n"
    with Register(":memory:") as register:
        told = [("add", f"cn={name},dc=x", ADDED) for name in ("a", "gone", "group")]
        told += [("modify", "cn=group,dc=x", member), ("modrdn", "cn=a,dc=x", rename), ("delete", "cn=gone,dc=x", "")]
        assert register.advance(_notes(*told), to=None) == len(told)
        assert register.advance(_notes(*told[3:]), to=None) == 0
        register.settle()
        entries = {entry.dn: entry for entry in register.entries()}
        assert set(entries) == {"cn=b,dc=x", "cn=group,dc=x"}
        assert entries["cn=group,dc=x"].all("member") == [b"cn=b,dc=x"]
        assert entries["cn=b,dc=x"].all("memberOf") == [b"cn=group,dc=x"]


@pytest.fixture
def stopped(filled: World) -> Iterator[World]:
    """The sample city; what the test leaves stopped runs again afterwards."""
    filled.writer().watch.look()
    filled.clear()
    yield filled
    try:
        filled.directory("directory").check()
    except DirectoryUnavailable:
        filled.start()


def _backup(world: World, folder: Path) -> preserving.Proof:
    with Vault.create(folder) as vault:
        for part in ("tree", "changes", "tables"):
            vault.begin(part)
        preserving.keep_tree(world.settings, world.site, vault)
        preserving.keep_tables(world.site, vault)
        proof = preserving.proven(vault)
        at = datetime.now(UTC).isoformat()
        vault.close(read_public(PUBLIC), at=at, suffix=SUFFIX, newest=proof.newest)
        vault.verify()
    return proof


def _return(world: World, folder: Path, *, at: datetime | None = None, execute: bool = False) -> preserving.Return:
    with Vault.open(folder, read_private(PRIVATE)) as vault:
        vault.verify()
        return preserving.bring_back(world.settings, world.site, vault, at=at, execute=execute)


def _state(world: World) -> dict[str, list[tuple[str, bytes]]]:
    """The whole tree, passwords too, but for who last touched an entry, which the server does not note of groups."""
    found = ldif.entries(slapd.dump(world.settings, world.site, database=1))
    untold = {"modifiersname", "modifytimestamp"}
    return {each.dn: sorted(pair for pair in each.values if pair[0].lower() not in untold) for each in found}


def test_a_moment_between_two_changes_comes_back_exactly(stopped: World, tmp_path: Path) -> None:
    directory, writer = stopped.directory("directory"), stopped.writer()
    li_na, zhang_min = (directory.person_by_username(name) for name in ("li.na", "zhang.min"))
    role = stopped.tree.role("ra-officer")
    proof = _backup(stopped, tmp_path / "backup")
    assert proof.entries == len(_state(stopped))
    writer.disable_person(zhang_min.subject, actor="", reason="left")
    writer.set_password(li_na.subject, "a whole other sentence 7", actor="")
    rogue(stopped, f"dn: {role}\nchangetype: modify\nadd: member\nmember: {stopped.tree.person(li_na.subject)}\n")
    wanted, between = _state(stopped), datetime.now(UTC)
    writer.enable_person(zhang_min.subject, actor="")
    rogue(stopped, f"dn: {stopped.tree.person(li_na.subject)}\nchangetype: delete\n")
    writer.publishing.authority("people", {"list": b""})
    assert _state(stopped) != wanted

    told = _return(stopped, tmp_path / "backup", at=between)
    assert (told.changes, told.removed, told.lets_in) == (3, 1, 1)
    assert {each.dn for each in told.told if each.verb == "added"} == {stopped.tree.person(li_na.subject)}
    switched = next(each for each in told.told if each.dn == stopped.tree.person(zhang_min.subject))
    assert (switched.verb, switched.attributes) == ("changed", ("tallyenabled",))
    assert _state(stopped) != wanted

    stopped.pause()
    assert _return(stopped, tmp_path / "backup", at=between, execute=True) == told
    assert _state(stopped) == wanted
    stopped.start()
    assert stopped.directory("sso").authenticate("li.na", "a whole other sentence 7").subject == li_na.subject
    assert "ra-officer" in directory.person(li_na.subject).roles
    assert not directory.person(zhang_min.subject).enabled
    # What was undone by it is gone for good: nothing leads there again.
    assert _return(stopped, tmp_path / "backup").changes == 3
    writer.enable_person(zhang_min.subject, actor="")
    assert _return(stopped, tmp_path / "backup").changes == 4
    assert stopped.writer().watch.look() == 1, "the role that somebody gave to Li Na, and nothing of the restore"


def test_a_backup_under_load_is_one_moment(stopped: World, tmp_path: Path) -> None:
    writer, done = stopped.writer(), threading.Event()
    person = stopped.directory("directory").person_by_username("zhang.min")
    rounds = 0

    def work() -> None:
        nonlocal rounds
        while not done.is_set():
            writer.disable_person(person.subject, actor="", reason="load")
            writer.enable_person(person.subject, actor="")
            rounds += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        _backup(stopped, tmp_path / "backup")
    finally:
        done.set()
        thread.join()
    assert rounds
    wanted = _state(stopped)
    stopped.pause()
    # From a dump in the middle of it, the notes lead to how it ended.
    _return(stopped, tmp_path / "backup", execute=True)
    assert _state(stopped) == wanted


def test_a_machine_that_lost_everything_comes_back(stopped: World, tmp_path: Path) -> None:
    _backup(stopped, tmp_path / "backup")
    wanted = _state(stopped)
    stopped.pause()
    where, folder = slapd.places(stopped.site), stopped.site.folder("directory")
    for path in (where.data, where.changes, where.configuration):
        shutil.rmtree(path)
    where.in_force.unlink()
    key = (folder / "numbers.key").read_bytes()
    stopped.database.close()
    for name in ("numbers.key", "directory.db"):
        (folder / name).unlink()
    with Vault.open(tmp_path / "backup", read_private(PRIVATE)) as vault:
        assert preserving.bring_tables_back(stopped.site, vault) == ("directory.db", "numbers.key")
        assert preserving.bring_tables_back(stopped.site, vault) == ()
    later = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(BeyondBackup):
        _return(stopped, tmp_path / "backup", at=later)
    assert _return(stopped, tmp_path / "backup", execute=True).entries == len(wanted)
    assert (folder / "numbers.key").read_bytes() == key
    slapd.configure(stopped.settings, stopped.site)
    assert _state(stopped) == wanted
    stopped.start()
    assert stopped.writer().watch.look() == 0


def test_what_cannot_be_reached_or_loaded_changes_nothing(stopped: World, tmp_path: Path) -> None:
    _backup(stopped, tmp_path / "backup")
    wanted = _state(stopped)
    with pytest.raises(BeyondBackup):
        _return(stopped, tmp_path / "backup", at=datetime(2020, 1, 1, tzinfo=UTC))
    stopped.pause()
    with pytest.raises(ConfigurationError):
        slapd.load(stopped.settings, stopped.site, [b"dn: dc=elsewhere\no: x\n\n"], database=1)
    assert _state(stopped) == wanted
    # Cut off between its two last steps: the next start ends it.
    where = slapd.places(stopped.site)
    where.data.rename(where.data.with_name("data.new"))
    (where.data.with_name("data.new") / "loaded").touch()
    slapd.configure(stopped.settings, stopped.site)
    assert _state(stopped) == wanted


def test_both_are_on_record(stopped: World) -> None:
    record = preserving.Preservation(stopped.recorder, stopped.clock)
    record.kept(Outcome.INTENDED, "k", to="f")
    record.kept(Outcome.SUCCESS, "k", to="f", proof=preserving.Proof(entries=1, changes=2, newest="n"))
    record.brought_back(
        Outcome.INTENDED, "k", at=datetime(2026, 1, 1, tzinfo=UTC), what=preserving.Return(entries=1, changes=2)
    )
    kinds = [(each.type, each.outcome) for each in stopped.recorder.events]
    assert kinds == [
        ("directory.backup.made", Outcome.INTENDED),
        ("directory.backup.made", Outcome.SUCCESS),
        ("directory.tree.restored", Outcome.INTENDED),
    ]
