# SPDX-License-Identifier: Apache-2.0
"""What measuring the directory needs other processes for: several who ask at once, and the role that records."""

import random
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import ldap
from ldap.ldapobject import SimpleLDAPObject

from app.context import Context
from audit.relay import Relay
from core.clock import SystemClock
from core.config import secret
from core.db import Database
from core.site import SiteSettings
from directory.config import DirectorySettings
from directory.ldap import Tree, entries
from directory.service import Directory, open_writer
from directory.slapd import service_password, socket_url
from directory.store import Store

from .directory_town import person
from .measure import Samples, sampled

_LOOK = 0.2


@dataclass(frozen=True)
class Ground:
    """A running directory, small enough to be sent to another process."""

    settings: DirectorySettings
    site: SiteSettings
    people: int

    def store(self) -> Store:
        """The writer's tables, opened anew."""
        return Store(Database.open(f"sqlite:///{self.site.folder('directory')}/directory.db"))


def ask(ground: Ground, seconds: float, seed: int) -> Samples:
    """Look up one person after the other, as sign-on does when somebody gives a user name."""
    sso = Directory.connect(ground.settings, site=ground.site, role="sso", clock=SystemClock())
    dice = random.Random(seed)  # noqa: S311 - the same people in every run
    names = [person(dice.randrange(ground.people), ground.people).username for _ in range(2_000)]
    return sampled(lambda: sso.person_by_username(dice.choice(names)), seconds=seconds)


def ask_bare(ground: Ground, seconds: float, seed: int) -> Samples:
    """The same two questions with nothing of ours: python-ldap, answers left as they come."""
    connection: SimpleLDAPObject = ldap.initialize(socket_url(ground.site))
    tree = Tree(ground.settings.suffix)
    word = service_password(secret(ground.site.folder("sso") / "ldap.secret"))
    connection.simple_bind_s(tree.service("sso"), word)
    dice = random.Random(seed)  # noqa: S311 - the same people in every run
    people = [person(dice.randrange(ground.people), ground.people) for _ in range(2_000)]
    wanted, of_mandate = list(entries.PERSON), list(entries.MANDATE)

    def one() -> None:
        each = dice.choice(people)
        where = f"(&(objectClass=inetOrgPerson)(uid={each.username}))"
        connection.search_s(tree.branch("people"), ldap.SCOPE_ONELEVEL, where, wanted)
        where = f"(tallyHolder={each.subject})"
        connection.search_s(tree.branch("mandates"), ldap.SCOPE_ONELEVEL, where, of_mandate)

    return sampled(one, seconds=seconds)


def keep(ground: Ground, log: Path, ended: Event) -> None:
    """What the role does meanwhile: bring outcomes to the record, and hold the server's own log against the journal."""
    context, store = Context.read(log), ground.store()
    recorder = context.recorder("directory")
    lock = ground.site.folder("directory") / "relay.lock"
    relay = Relay(store.outbox, recorder, source="directory", clock=SystemClock(), lock=lock)
    relay.start()
    watch = open_writer(ground.settings, site=ground.site, store=store, recorder=recorder, clock=SystemClock()).watch
    while not ended.is_set():
        watch.look()
        time.sleep(_LOOK)
    relay.stop()
