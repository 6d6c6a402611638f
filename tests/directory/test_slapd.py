# SPDX-License-Identifier: Apache-2.0
"""The server's configuration as text, and as slapd takes it."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core.config import ConfigurationError, decode
from directory import slapd
from directory.config import DirectorySettings
from directory.errors import DirectoryUnavailable
from directory.ldap import Tree
from directory.slapd import configuration, schema
from directory.slapd.access import rules
from directory.slapd.passwords import unusable
from tests.directory.world import SETTINGS, World, short_folder


@pytest.fixture
def stopped() -> Iterator[World]:
    """A prepared site whose server was never started."""
    folder = short_folder()
    yield World(folder)
    shutil.rmtree(folder)


def test_every_identifier_is_given_once_and_lies_under_our_arc() -> None:
    numbers = [attribute.number for attribute in schema.ATTRIBUTES]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    numbers = [found.number for found in schema.CLASSES]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert f"2.25.{0x6F1D1C1E3C0A4D529B7E2B7B7A1E5C40}" == schema.ARC


def test_lockout_is_off_and_hashing_stands_on_the_frontend() -> None:
    where = configuration.Places(
        configuration=Path("/c"),
        in_force=Path("/f"),
        data=Path("/d"),
        changes=Path("/n"),
        socket=Path("/s"),
        certificate=Path("/t"),
        key=Path("/k"),
        clients=Path("/l"),
    )
    text = configuration.ldif(SETTINGS, where, tls=True)
    assert "olcPPolicyUseLockout: FALSE" in text
    entries = text.split("\n\n")
    (hashing,) = [entry for entry in entries if "olcPasswordHash" in entry]
    assert hashing.startswith("dn: olcDatabase={-1}frontend")
    assert "olcRootPW" not in text
    assert "olcTLSProtocolMin: 3.3" in text
    assert "TLS" not in configuration.ldif(SETTINGS, where, tls=False)


def test_every_rule_ends_in_nothing_for_everybody_else() -> None:
    lines = [rule.text(Tree(SETTINGS.suffix)) for rule in rules(Tree(SETTINGS.suffix))]
    assert all(line.endswith("by * none") for line in lines)
    assert lines[-1].startswith("to * ")


def test_preparing_again_keeps_the_tree_and_renews_the_configuration(stopped: World) -> None:
    data = slapd.places(stopped.site).data / "data.mdb"
    before = data.read_bytes()
    assert not slapd.prepare(stopped.settings, stopped.site, stopped.secrets)
    assert data.read_bytes() == before
    stopped.start()
    stopped.directory("sso").check()
    stopped.stop()


def test_new_settings_reach_a_tree_that_is_there_already(stopped: World) -> None:
    stopped.start()
    stopped.writer().import_csv(b"kind,username,name\ncitizen,one,One\ncitizen,two,Two\n", actor="")
    stopped.pause()
    stopped.settings = replace(
        stopped.settings, size_limit=1, password_length=20, password_history=0, hash_memory_kib=512
    )
    assert slapd.configure(stopped.settings, stopped.site)
    stopped.start()
    found = stopped.as_service("directory", "ldapsearch", "-LLL", "-b", stopped.tree.branch("people"), "(uid=*)", "uid")
    assert found.stdout.count("dn:") == 1
    person = stopped.directory("directory").person_by_username("one")
    pool = stopped.pool("directory")
    assert not pool.set_password(stopped.tree.person(person.subject), "nineteen characters")
    assert pool.set_password(stopped.tree.person(person.subject), "twenty characters ok")
    assert pool.set_password(stopped.tree.person(person.subject), "twenty characters ok")
    stopped.pause()
    kept = {dn: value for dn, value in stopped.passwords().items() if dn.startswith(("cn=decoy", "tallySubject"))}
    assert len(kept) == 3
    assert sum(b"m=512" in value for value in kept.values()) == 2
    stopped.stop()


def test_what_is_in_force_is_not_written_again(stopped: World) -> None:
    where = slapd.places(stopped.site)
    before = {path: path.stat().st_mtime_ns for path in where.configuration.rglob("*")}
    assert not slapd.configure(stopped.settings, stopped.site)
    assert {path: path.stat().st_mtime_ns for path in where.configuration.rglob("*")} == before


def test_a_configuration_that_was_interrupted_is_written_again(stopped: World) -> None:
    where = slapd.places(stopped.site)
    where.in_force.unlink()
    shutil.rmtree(where.configuration)
    assert slapd.configure(stopped.settings, stopped.site)
    stopped.start()
    stopped.directory("sso").check()
    stopped.stop()


def test_an_index_that_is_new_is_made_of_what_is_there(stopped: World) -> None:
    _without_index(stopped, "uid eq,sub")
    stopped.start()
    stopped.writer().import_csv(b"kind,username,name\ncitizen,one,Somebody\n", actor="")
    stopped.pause()
    assert slapd.configure(stopped.settings, stopped.site)
    stopped.start()
    assert stopped.directory("directory").person_by_username("one").name == "Somebody"
    stopped.stop()


def _without_index(world: World, index: str) -> None:
    """The configuration of an earlier release, which had one index less."""
    where = slapd.places(world.site)
    text = configuration.ldif(world.settings, where, tls=True).replace(f"olcDbIndex: {index}\n", "")
    shutil.rmtree(where.configuration)
    where.configuration.mkdir()
    tool = [str(world.settings.slapd), "-T", "add", "-n", "0", "-F", str(where.configuration)]
    subprocess.run(tool, input=text.encode(), check=True, timeout=60)
    where.in_force.write_text(text, "utf-8")


def test_without_a_certificate_only_the_socket_listens(stopped: World) -> None:
    assert "ldaps://" in " ".join(slapd.command(stopped.settings, stopped.site))
    slapd.places(stopped.site).certificate.unlink()
    slapd.configure(stopped.settings, stopped.site)
    command = slapd.command(stopped.settings, stopped.site)
    assert "ldaps://" not in " ".join(command)
    assert "ldapi://" in " ".join(command)
    stopped.start()
    stopped.directory("sso").check()
    stopped.stop()


def test_a_server_that_is_not_there_is_not_ready(stopped: World) -> None:
    with pytest.raises(DirectoryUnavailable):
        slapd.check(stopped.settings, stopped.site)


def test_what_slapd_does_not_take_is_told_in_its_words(stopped: World) -> None:
    broken = replace(stopped.settings, modules=Path("/nowhere"))
    with pytest.raises(ConfigurationError) as told:
        slapd.configure(broken, stopped.site)
    assert "slapd" in str(told.value)


def test_a_made_up_hash_fits_no_password() -> None:
    cost = slapd.Cost(256, 1)
    assert unusable(salt=b"s" * 16, digest=b"d" * 32, cost=cost).startswith("{ARGON2}$argon2id$v=19$m=256,t=1,p=1$")
    assert slapd.no_password(cost) != slapd.no_password(cost)


@pytest.mark.parametrize(
    "table",
    [
        {"suffix": "o=city"},
        {"suffix": "dc=city,dc=example\nolcRootPW: x"},
        {"url": "ldap://127.0.0.1"},
        {"url": "ldaps://127.0.0.1"},
        {"password_length": 3},
        {"timeout": 0},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_be_right_stop_the_start(table: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        decode(DirectorySettings, table, where="directory", folder=tmp_path)
    assert decode(DirectorySettings, {}, where="directory", folder=tmp_path).timeout == timedelta(seconds=5)
