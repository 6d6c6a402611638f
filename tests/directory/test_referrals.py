# SPDX-License-Identifier: Apache-2.0
"""Whoever points elsewhere is not followed: neither a referral in the tree nor a server that sends us away."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from directory.errors import DirectoryUnavailable, NoSuchOrganisation
from directory.ldap import Pool, Server
from tests.directory.test_access import modify
from tests.directory.world import World


class Elsewhere:
    """An address that counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]

    def visited(self) -> bool:
        try:
            self._socket.accept()[0].close()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


def test_a_referral_in_the_tree_is_passed_over(filled: World, elsewhere: Elsewhere) -> None:
    dn = filled.tree.organisation("a-trap")
    planted = modify(
        filled,
        "directory",
        f"dn: {dn}\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\ntallyId: a-trap\n"
        f"ref: ldap://127.0.0.1:{elsewhere.port}/{filled.tree.suffix}\n",
        "-M",
    )
    assert planted.returncode == 0, planted.stderr
    try:
        directory = filled.directory("directory")
        assert len(directory.organisations().items) == 46
        with pytest.raises(NoSuchOrganisation):
            directory.organisation("a-trap")
        with pytest.raises(NoSuchOrganisation):
            filled.directory("ca").organisation("a-trap")
        assert not elsewhere.visited()
    finally:
        assert modify(filled, "directory", f"dn: {dn}\nchangetype: delete\n", "-M").returncode == 0


def test_even_the_writer_can_plant_none_among_people(filled: World, elsewhere: Elsewhere) -> None:
    planted = modify(
        filled,
        "directory",
        f"dn: {filled.tree.person('trap')}\nchangetype: add\nobjectClass: referral\nobjectClass: extensibleObject\n"
        f"tallySubject: trap\nref: ldap://127.0.0.1:{elsewhere.port}/{filled.tree.suffix}\n",
    )
    assert planted.returncode == 50


def test_a_server_that_sends_us_away_is_not_believed(elsewhere: Elsewhere) -> None:
    with sending_away(f"ldap://127.0.0.1:{elsewhere.port}/dc=city,dc=example") as url:
        server = Server(url=url, timeout=timedelta(seconds=30))
        with pytest.raises(DirectoryUnavailable):
            server.proves("cn=x,dc=city,dc=example", "password")
        with pytest.raises(DirectoryUnavailable):
            Pool(server, bind_dn="cn=x", password="x").read("cn=x", ["cn"])
    assert not elsewhere.visited()


@contextmanager
def sending_away(where: str) -> Iterator[str]:
    """A server that answers whatever it is asked with a referral (RFC 4511 section 4.1.10)."""
    with tempfile.TemporaryDirectory(prefix="tgd") as folder:
        path = Path(folder) / "socket"
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=_answer, args=(listening, where.encode()), daemon=True)
        thread.start()
        try:
            yield f"ldapi://{quote(str(path), safe='')}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
            thread.join(10)


def _answer(listening: socket.socket, where: bytes) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            while asked := connection.recv(4096):
                # SEQUENCE, length; INTEGER, length, message id; the request, whose answer's tag is the next one.
                at = 2 if asked[1] < 0x80 else 2 + (asked[1] & 0x7F)
                number, request = asked[at : at + 2 + asked[at + 1]], asked[at + 2 + asked[at + 1]]
                if request == 0x42:
                    break
                answer = {0x60: 0x61, 0x63: 0x65}[request]
                referral = _part(0xA3, _part(0x04, where))
                result = _part(answer, b"\x0a\x01\x0a" + b"\x04\x00" + b"\x04\x00" + referral)
                connection.sendall(_part(0x30, number + result))


def _part(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content
