# SPDX-License-Identifier: Apache-2.0
"""A small site with a real slapd, and the OpenLDAP clients to look at it from outside."""

import base64
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import directory
from audit import Event, decode_event
from core.db import Database, migrate
from core.errors import Unavailable
from core.site import Ports, SiteSettings
from directory import slapd
from directory.config import DirectorySettings
from directory.errors import DirectoryUnavailable
from directory.ldap import Pool, Server, Tree
from directory.service import Directory, DirectoryWriter, open_writer
from directory.service.letters import Post
from directory.service.reading import pool
from directory.service.writing import Portals
from directory.store import Store
from tests.fakes.clock import ManualClock
from tests.fakes.places import roomy
from tests.fakes.ports import free_port
from tests.fakes.recorder import ListRecorder

_LISTENING = "0A"
_ROOM = 1 << 28
"""Bytes; a world with the sample city takes about a tenth of that."""

SETTINGS = DirectorySettings(hash_memory_kib=256, hash_passes=1, database_bytes=1 << 26, timeout=timedelta(seconds=5))


class World:
    """Folders, secrets and the running server of one made-up site."""

    def __init__(self, folder: Path) -> None:
        self.settings = SETTINGS
        self.clock = ManualClock()
        self.site = SiteSettings(
            name="test",
            domain="test.localhost",
            title="Test city",
            title_zh="测试市",
            state=folder,
            ports=Ports(external=1, internal=2, management=3, plain=4, ldaps=free_port()),
        )
        self.tree = Tree(SETTINGS.suffix)
        self.recorder = ListRecorder()
        self.secrets = {name: secrets.token_bytes(32) for name in slapd.SERVICES}
        for name, secret in self.secrets.items():
            self.site.folder(name).mkdir(mode=0o700)
            path = self.site.folder(name) / "ldap.secret"
            path.touch(0o600)
            path.write_bytes(secret)
        key = self.site.folder("directory") / "numbers.key"
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(32))
        self.secrets[slapd.LOOKUP] = secrets.token_bytes(32)
        self._open()
        migrate(self.database, Path(directory.__file__).parent / "migrations")
        self._process: subprocess.Popen[bytes] | None = None
        self._certify()
        slapd.prepare(self.settings, self.site, self.secrets)

    def _open(self) -> None:
        self.database = Database.open(f"sqlite:///{self.site.folder('directory')}/directory.db")
        self.store = Store(self.database)

    def become(self, stopped: "World") -> None:
        """Go on with everything that another world held when it stopped: tree, notes, journal and secrets."""
        self.stop()
        for name in (*slapd.SERVICES, "slapd"):
            old = self.site.folder(name)
            shutil.rmtree(old)
            shutil.copytree(stopped.site.folder(name), old, ignore=shutil.ignore_patterns("ldapi*", "*.sock"))
        self.secrets = stopped.secrets
        self.recorder.events[:] = stopped.recorder.events
        # The configuration names folders of its own.
        slapd.places(self.site).in_force.unlink()
        slapd.configure(self.settings, self.site)
        self._open()
        self.start()

    @property
    def url(self) -> str:
        return slapd.socket_url(self.site)

    def directory(self, role: str, **changed: Any) -> Directory:
        return Directory.connect(replace(self.settings, **changed), site=self.site, role=role, clock=self.clock)

    def pool(self, role: str) -> Pool:
        """The connections of one role."""
        return pool(self.settings, site=self.site, role=role)

    def writer(self, post: Post | None = None, *, portals: Portals | None = None) -> DirectoryWriter:
        """The one writer, with its record in ``recorder`` and its outbox in ``store``."""
        return open_writer(
            self.settings, site=self.site, store=self.store, recorder=self.recorder, clock=self.clock, post=post,
            portals=portals,
        )  # fmt: skip

    def outbox(self) -> list[Event]:
        """What waits for the log."""
        return [decode_event(row.body) for row in self.store.outbox.head()]

    def clear(self) -> None:
        """Forget what was recorded so far."""
        self.recorder.events.clear()
        while rows := self.store.outbox.head():
            self.store.outbox.drop([row.position for row in rows])

    def start(self) -> None:
        self._process = subprocess.Popen(slapd.command(self.settings, self.site), stderr=subprocess.DEVNULL)
        server = Server(url=self.url, timeout=timedelta(seconds=1))
        deadline = time.monotonic() + 60
        while True:
            try:
                server.check()
            except DirectoryUnavailable:
                assert time.monotonic() < deadline, "slapd did not start"
                time.sleep(0.02)
            else:
                return

    def listens_at(self) -> set[tuple[str, int]]:
        """The addresses at which the server takes connections over a wire (proc(5), net/tcp)."""
        assert self._process is not None
        folder = Path(f"/proc/{self._process.pid}")
        own = {str(file.readlink()) for file in (folder / "fd").iterdir()}
        found = set()
        for table in ("tcp", "tcp6"):
            for line in (folder / "net" / table).read_text("ascii").splitlines()[1:]:
                cells = line.split()
                if cells[3] == _LISTENING and f"socket:[{cells[9]}]" in own:
                    address, port = cells[1].split(":")
                    words = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
                    packed = b"".join(word.to_bytes(4, "little") for word in words)
                    found.add((str(ip_address(packed)), int(port, 16)))
        return found

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """The server takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # A thread of it may still be at work on the other core when the signal has been sent.
        tasks = Path(f"/proc/{self._process.pid}/task")
        while any(_state(task) != "T" for task in tasks.iterdir()):
            time.sleep(0.005)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def pause(self) -> None:
        """End the server properly; it may be started again."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def stop(self) -> None:
        self.database.close()
        self.pause()

    def passwords(self) -> dict[str, bytes]:
        """What is kept as whose password, by name in the tree; read past the server."""
        command = ["slapcat", "-o", "ldif-wrap=no", "-n", "1", "-F", str(slapd.places(self.site).configuration)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        found = re.findall(r"^dn: (\S+)$(?:\n(?!dn:).+)*\nuserPassword:: (\S+)$", told, re.MULTILINE)
        return {dn: base64.b64decode(value) for dn, value in found}

    def tool(self, name: str, *arguments: str, bind: str, password: str) -> subprocess.CompletedProcess[str]:
        """One of OpenLDAP's own clients."""
        command = [name, "-x", "-H", self.url, "-D", bind, "-w", password, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    def as_service(self, role: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        password = slapd.service_password(self.secrets[role])
        return self.tool(name, *arguments, bind=self.tree.service(role), password=password)

    def _certify(self) -> None:
        where = slapd.places(self.site)
        where.certificate.parent.mkdir(mode=0o700)
        certificate, key = self_signed()
        where.certificate.write_bytes(certificate)
        where.key.touch(0o600)
        where.key.write_bytes(key)


class Mailbox:
    """Takes every letter: to whom, heading, text, number; while ``down`` none."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str, str, str]] = []
        self.down = False

    def __call__(self, to: str, heading: str, text: str, number: str) -> bool:
        if self.down:
            raise Unavailable
        self.letters.append((to, heading, text, number))
        return True


def short_folder() -> Path:
    """A fresh folder with a short name; in memory where there is room."""
    return Path(tempfile.mkdtemp(dir=roomy(_ROOM), prefix="tgd"))


def self_signed() -> tuple[bytes, bytes]:
    """A certificate for the loopback address that is its own issuer, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(f"127.0.0.{last}")) for last in (1, 2)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _state(task: Path) -> str:
    """The state letter of one thread (proc(5))."""
    return (task / "stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
