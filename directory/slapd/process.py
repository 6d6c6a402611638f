# SPDX-License-Identifier: Apache-2.0
"""slapd as a program: its folders, its configuration loaded with slapadd, and how it is run in the foreground."""

import secrets
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from core.config import ConfigurationError
from core.site import SiteSettings

from ..config import DirectorySettings
from ..ldap import Server
from . import base, configuration
from .access import DECOY
from .configuration import Places, Twin
from .passwords import DIGEST_LENGTH, SALT_LENGTH, SERVICE_COST, Cost, hashed, service_password, unusable

SECOND = "second"
"""Folder and socket of the second provider, below those of the first."""
_TOOL_LIMIT = 3600
"""Seconds; an index over millions of entries takes minutes."""
_PIECE = 1 << 16
_FOLDERS = {1: "data", 2: "changes"}
_LOADED = "loaded"
"""In a new folder that is whole and waits for its name."""


def places(site: SiteSettings, *, second: bool = False) -> Places:
    """Where the site's own slapd lives, or the second one."""
    folder = site.folder("slapd")
    if second:
        folder = folder / SECOND
    return Places(
        configuration=folder / "config",
        in_force=folder / "in-force.ldif",
        data=folder / "data",
        changes=folder / "changes",
        # The folder lets only the site's own users in, the socket itself anybody.
        socket=site.socket("slapd", SECOND if second else "ldapi"),
        # One certificate for both: it names this machine's addresses.
        certificate=site.folder("slapd") / "tls.pem",
        key=site.folder("slapd") / "tls.key",
        clients=folder / "clients.pem",
    )


def socket_url(site: SiteSettings, *, second: bool = False) -> str:
    """The address of the site's own slapd on this machine, or of the second one."""
    return f"ldapi://{quote(str(places(site, second=second).socket), safe='')}"


def command(settings: DirectorySettings, site: SiteSettings, *, second: bool = False) -> list[str]:
    """How slapd is run in the foreground; over TLS too, once it has a certificate."""
    where = places(site, second=second)
    listeners = [socket_url(site, second=second)]
    if where.certificate.exists():
        for address in ("127.0.0.1", *settings.listen):
            listeners.append(f"ldaps://{address}:{settings.second_port if second else site.ports.ldaps}/")
            if settings.starttls_port and not second:
                listeners.append(f"ldap://{address}:{settings.starttls_port}/")
    return [str(settings.slapd), "-F", str(where.configuration), "-h", " ".join(listeners), "-d", "0"]


def check(settings: DirectorySettings, site: SiteSettings) -> None:
    """See that slapd answers.

    Raises:
        DirectoryUnavailable: it does not.
    """
    Server(url=socket_url(site), timeout=settings.timeout).check()


def prepare(settings: DirectorySettings, site: SiteSettings, services: Mapping[str, bytes]) -> bool:
    """Write the configuration, and the base tree if there is none; True if the tree was made now.

    ``services`` holds the secret of everybody who may bind. Only while slapd is stopped.

    Raises:
        ConfigurationError: slapd does not take it; holds its words.
    """
    where = places(site)
    configure(settings, site)
    if (where.data / "data.mdb").exists():
        return False
    hashes = {name: _service_hash(secret) for name, secret in services.items()}
    hashes[DECOY] = no_password(_cost(settings))
    _tool(settings, where, "add", base.ldif(settings, hashes), database=1)
    return True


def no_password(cost: Cost) -> str:
    """A fresh value that no password fits."""
    return unusable(salt=secrets.token_bytes(SALT_LENGTH), digest=secrets.token_bytes(DIGEST_LENGTH), cost=cost)


def configure(settings: DirectorySettings, site: SiteSettings) -> bool:
    """Bring the server's configuration and what the tree repeats of it up to the settings; True if anything changed.

    At every start, only while slapd is stopped. The register itself stays.

    Raises:
        ConfigurationError: slapd does not take it; the old configuration is gone, and the next start repeats this.
    """
    changed = _configure(settings, site, second=False)
    if settings.second_port:
        changed = _configure(settings, site, second=True) or changed
        _seed(settings, site)
    return changed


def _configure(settings: DirectorySettings, site: SiteSettings, *, second: bool) -> bool:
    where = places(site, second=second)
    _finish_load(where)
    for folder in (where.data.parent, where.data, where.changes, where.socket.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    issuers = _issuers(site)
    twin = _twin(settings, site, second=second)
    if twin:
        issuers += twin.trusted.read_bytes()
    tls = where.certificate.exists()
    wanted = configuration.ldif(settings, where, tls=tls, issuers=issuers, twin=twin)
    rules = base.rules(settings)
    in_force = where.in_force.read_text("utf-8") if where.in_force.exists() else ""
    if in_force == wanted + rules:
        return False
    # From here to the end a crash leaves nothing in force, and the next start does all of it again.
    where.in_force.unlink(missing_ok=True)
    shutil.rmtree(where.configuration, ignore_errors=True)
    where.configuration.mkdir(mode=0o700, parents=True)
    where.clients.write_bytes(issuers)
    _tool(settings, where, "add", wanted, database=0)
    if (where.data / "data.mdb").exists():
        decoy = base.decoy(settings, no_password(_cost(settings)))
        _tool(settings, where, "modify", f"{rules}\n{decoy}", database=1)
        if configuration.indices(in_force) != configuration.indices(wanted):
            _tool(settings, where, "index", "", database=1)
    where.in_force.write_text(wanted + rules, "utf-8")
    return True


def _twin(settings: DirectorySettings, site: SiteSettings, *, second: bool) -> Twin | None:
    """What one of two providers knows of the other; None where there is one, or no certificate yet."""
    certificate = places(site).certificate
    if not settings.second_port or not certificate.exists():
        return None
    own, *above = x509.load_pem_x509_certificates(certificate.read_bytes())
    trusted = certificate.with_name("twin.pem")
    # GnuTLS takes nobody's word but an issuer's; whose certificate it is the whole subject says.
    trusted.write_bytes((above[0] if above else own).public_bytes(Encoding.PEM))
    port = site.ports.ldaps if second else settings.second_port
    return Twin(
        number=2 if second else 1,
        url=f"ldaps://127.0.0.1:{port}/",
        trusted=trusted,
        # As RFC 4514 says, last part first; slapd compares in small letters.
        subject=own.subject.rfc4514_string({NameOID.SERIAL_NUMBER: "serialNumber"}).lower(),
    )


def _seed(settings: DirectorySettings, site: SiteSettings) -> None:
    """Give a second provider that has nothing yet what the first one has, notes and all. Both are stopped."""
    first, second = places(site), places(site, second=True)
    if (first.data / "data.mdb").exists() and not (second.data / "data.mdb").exists():
        for database in (2, 1):
            load(settings, site, dump(settings, site, database=database), database=database, second=True)


def forget_second(site: SiteSettings) -> None:
    """Let the second provider begin again as a copy of the first one, at the next start. Only while both are stopped.

    For what was restored from a backup, or if the two cannot come together.
    """
    for folder in (places(site, second=True).data, places(site, second=True).changes):
        shutil.rmtree(folder, ignore_errors=True)


def dump(settings: DirectorySettings, site: SiteSettings, *, database: int) -> Iterator[bytes]:
    """Everything in the tree (1) or in the server's notes (2) as LDIF, at one moment, while the server goes on.

    Raises:
        ConfigurationError: the tool fails; holds its words.
    """
    command = [*_command(settings, places(site), "cat", database), "-o", "ldif-wrap=no"]
    with TemporaryFile() as words, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=words) as running:
        output = cast("IO[bytes]", running.stdout)
        while piece := output.read(_PIECE):
            yield piece
        if running.wait():
            raise _failed("cat", _said(words), running.returncode)


def load(
    settings: DirectorySettings, site: SiteSettings, pieces: Iterable[bytes], *, database: int, second: bool = False
) -> None:
    """Put another tree (1), or other notes (2), in the place of those that are there. Only while slapd is stopped.

    What was there is kept beside it until the next time. Cut off anywhere, the old or the new one is there.

    Raises:
        ConfigurationError: slapadd does not take it; holds its words, and nothing was changed.
    """
    where = places(site, second=second)
    _finish_load(where)
    old = where.data if database == 1 else where.changes
    new, before = _beside(old)
    draft = replace(where, configuration=where.configuration.with_name("config.load"), **{_FOLDERS[database]: new})
    for folder in (new, draft.configuration):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    wanted = configuration.ldif(settings, draft, tls=False)
    _tool(settings, draft, "add", wanted, database=0)
    command = [*_command(settings, draft, "add", database), "-q"]
    with TemporaryFile() as words:
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=words)
        # Whoever stops reading has said why.
        with running, suppress(BrokenPipeError), cast("IO[bytes]", running.stdin) as put:
            for piece in pieces:
                put.write(piece)
        shutil.rmtree(draft.configuration)
        if running.returncode:
            shutil.rmtree(new)
            raise _failed("add", _said(words), running.returncode)
    (new / _LOADED).touch()
    shutil.rmtree(before, ignore_errors=True)
    if old.exists():
        old.rename(before)
    new.rename(old)
    (old / _LOADED).unlink()


def _finish_load(where: Places) -> None:
    """A load that was cut off between two names is brought to its end; one that was cut off earlier is forgotten."""
    for old in (where.data, where.changes):
        new, _ = _beside(old)
        if not old.exists() and (new / _LOADED).exists():
            new.rename(old)
        (old / _LOADED).unlink(missing_ok=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}.new"), folder.with_name(f"{folder.name}.before")


def _issuers(site: SiteSettings) -> bytes:
    """Those who certify devices, every generation; they alone are trusted for whoever binds with a certificate."""
    found = sorted((site.public / "issuers").glob("devices*.pem"))
    return b"".join(path.read_bytes() for path in found)


def _cost(settings: DirectorySettings) -> Cost:
    return Cost(settings.hash_memory_kib, settings.hash_passes)


def _service_hash(secret: bytes) -> str:
    text = service_password(secret).encode()
    return hashed(text, salt=secrets.token_bytes(SALT_LENGTH), cost=SERVICE_COST)


def _tool(settings: DirectorySettings, where: Places, name: str, text: str, *, database: int) -> None:
    """One of slapd's own tools for while it is stopped: slapadd, slapmodify, slapindex."""
    command = _command(settings, where, name, database)
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=_TOOL_LIMIT)
    if done.returncode:
        raise _failed(name, done.stderr, done.returncode)


def _command(settings: DirectorySettings, where: Places, name: str, database: int) -> list[str]:
    return [str(settings.slapd), "-T", name, "-n", str(database), "-F", str(where.configuration)]


def _said(words: IO[bytes]) -> bytes:
    words.seek(0)
    return words.read()


def _failed(name: str, told: bytes, code: int) -> ConfigurationError:
    words = told.decode("utf-8", "replace").strip().splitlines()
    return ConfigurationError(where="slapd", why=words[-1] if words else f"slap{name} ended with {code}")
