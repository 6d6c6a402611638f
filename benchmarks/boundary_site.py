# SPDX-License-Identifier: Apache-2.0
"""The site that ``benchmarks.boundary`` measures: as many policies, people and sessions as are wanted, made offline.

People are the benchmark's town (``directory_town``), entered before slapd starts; their sessions are rows of the
gateway's own table, as logins would have left them. Cookies follow from a number, so that the load can be made of any
of them without a list of a million.
"""

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sqlalchemy import text

from app.context import Context
from app.ports import free_ports
from app.users import Users
from directory.config import DirectorySettings
from directory.ldap import Tree
from directory.store import Store
from policies.config import SHIPPED
from policies.release import Release
from tests.flows.city import COMMAND, ROOT

from . import directory_town as town

HOST = "tax"
_BATCH = 20_000
_EXTRA = (
    '@id("extra-{0}") @owner("bench") @reason("one portal for one group") '
    'permit (principal is Person, action == Action::"access", resource == Target::"portal-{0}") when {{ '
    'resource in Class::"portal" && principal in Role::"group-{0}" && context.assurance >= 1 }};\n'
)
_CASES = (
    '[who.member-{0}]\nkind = "person"\nroles = ["group-{0}"]\n'
    '[what.portal-{0}]\nresource_class = "portal"\nzone = "external"\nrequired_assurance = 1\n'
)


@dataclass(frozen=True)
class Size:
    """How much of everything there is."""

    policies: int
    people: int
    sessions: int


@dataclass
class _Ground:
    """What the town needs of a site to be entered in it."""

    site: object
    settings: DirectorySettings
    tree: Tree
    store: Store


def source(folder: Path) -> Path:
    """Where the site's policies are written: beside it, for a birth takes an empty folder."""
    return folder.with_suffix(".policies")


def write_policies(folder: Path, count: int) -> int:
    """The shipped policies, and as many more as make that number, each proved by a case; how many there are."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SHIPPED, folder)
    shipped = len(Release({path.name: path.read_bytes() for path in folder.iterdir()}, version="0").policies)
    more = range(max(0, count - shipped))
    (folder / "extra.cedar").write_text("".join(_EXTRA.format(number) for number in more) or "// none\n", "utf-8")
    with (folder / "cases.toml").open("a", encoding="utf-8") as people:
        people.write("".join(_CASES.format(number) for number in more))
    with (folder / "cases.csv").open("a", encoding="utf-8") as table:
        table.write("".join(f"member-{each},access,portal-{each},external,1,,allowed,,extra-{each}\n" for each in more))
    return shipped + len(more)


def prepare(folder: Path, size: Size) -> None:
    """Everything but the running of it: configuration, birth, people and sessions."""
    write_policies(source(folder), size.policies)
    configure(folder, remembered=0)
    born = [*COMMAND, "init", "--site", str(folder / "site.toml")]
    subprocess.run(born, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    context = Context.read(folder / "site.toml")
    _enter(context, size.people)
    for holder in ("slapd", "directory"):
        Users.detect().give(context.site.folder(holder), holder)
    more_sessions(context, 0, size)


def configure(folder: Path, *, remembered: int) -> None:
    """The one file; ports stay what they were. One machine asks for everybody here, so no share of an address binds."""
    file = folder / "site.toml"
    known = tomllib.loads(file.read_text("utf-8"))["site"]["ports"] if file.exists() else asdict(free_ports(wishes=()))
    ports = "\n".join(f"{name} = {json.dumps(value)}" for name, value in known.items())
    lines = [
        *("[site]", 'name = "city"', 'domain = "city.localhost"', 'title = "Sample City"', 'title_zh = "示例市"'),
        *('state = "."', "", "[site.ports]", ports, ""),
        *("[directory]", "hash_memory_kib = 4096", "hash_passes = 1", ""),
        *("[gateway]", "rate = 1000000", "burst = 1000000", "person_rate = 1000000", "person_burst = 1000000", ""),
        *("[policies]", f'source = "{source(folder)}"', f"remembered = {remembered}", ""),
    ]
    file.write_text("\n".join(lines), "utf-8")


def cookie(number: int) -> str:
    """What the owner of one session shows."""
    return f"bench{number:0>38}"


def more_sessions(context: Context, begin: int, size: Size) -> None:
    """Add sessions, of people who are there; the city may be running."""

    def opened() -> bytes:
        _open(context, begin, size)
        return b""

    Users.detect().acting("gateway", opened)


def _enter(context: Context, people: int) -> None:
    settings = context.settings("directory", DirectorySettings)
    database = context.database("directory")
    try:
        town.fill(
            _Ground(context.site, settings, Tree(settings.suffix), Store(database)),  # type: ignore[arg-type]  # all it uses
            people,
        )
    finally:
        database.close()


def _open(context: Context, begin: int, size: Size) -> None:
    database = context.database("gateway")
    now = int(datetime.now(UTC).timestamp())
    statement = text(
        "INSERT INTO sessions (digest, session, subject, acr, methods, host, listener, opened, seen, id_token)"
        " VALUES (:digest, :session, :subject, 2, 'pwd otp', :host, 'external', :now, :now, '')"
    )
    try:
        for rows in _batches(begin, size, context.site.host(HOST), now):
            with database.transaction() as connection:
                connection.execute(statement, rows)
    finally:
        database.close()


def _batches(begin: int, size: Size, host: str, now: int) -> Iterator[list[dict[str, object]]]:
    for first in range(begin, size.sessions, _BATCH):
        yield [
            {
                "digest": sha256(cookie(number).encode()).hexdigest(),
                "session": f"bench-{number}",
                "subject": town.subject(number % size.people),
                "host": host,
                "now": now,
            }
            for number in range(first, min(first + _BATCH, size.sessions))
        ]


def restart_gateway(pid: int) -> None:
    """End its main process; the supervisor starts another, which reads the configuration anew."""
    os.kill(pid, 15)
