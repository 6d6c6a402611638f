# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``directory``: the one writer, its relay, and the administrators' desk."""

import fcntl
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import BinaryIO

from flask import Flask

from audit import Entry, Event, Outcome, Recorder, new_key
from audit.client import Follower
from audit.relay import Relay
from core.calls.outside import Fetcher
from core.clock import Clock
from core.config import ConfigurationError
from core.db import migrate
from core.errors import TallygateError
from core.log import logger
from core.site import PORTALS
from directory import DirectorySettings, slapd, web
from directory.breaches import FILE, build
from directory.config import PortalAccounts
from directory.errors import ChangedSince
from directory.imports import Refusal
from directory.ledger import Ledger
from directory.provisioning import Remote
from directory.service import Course, DirectoryWriter, Enrolling, Importing, Outsiders, open_writer
from directory.service.provisioning import HEARD, WIDE, Provisioning
from directory.service.watching import SECOND
from directory.service.writing import NUMBERS_KEY, Portals
from directory.store import Fate, Store

from ..context import Context, write_secret
from ..files import ACCOUNTS_FILE, private_text
from ..users import Users
from . import mail
from .days import Days
from .histories import RecordedChanges

ROLE = "directory"
_HOME = Path(web.__file__).parent.parent
LOOKUP_FILE = "lookup.secret"
"""In the directory's folder: what the site gives to outside software that looks up certificates."""
LOGINS = ("sso.login",)
WITHDRAWN = ("ca.certificate.revoked", "ca.certificate.suspended")
RELEASED = "ca.certificate.released"
_HOUSE_SECONDS = 1.0
_ARRIVES = 3.0
"""Seconds after which the record has been heard of what was being changed."""
_PORTALS_SECONDS = 0.5
_LONGEST_TOLD = 1 << 20
PORTALS_KEY = "portals.key"
"""In the role's folder: without it portals know people by other identifiers, and keep two accounts of each."""
_log = logger(__name__)


def found(context: Context, recorder: Recorder) -> None:
    """The directory's part in a site's birth: a secret for every service, slapd's configuration, the base tree.

    May be repeated: secrets and tree stay, the configuration is written afresh. Only while slapd is stopped.
    """
    settings = context.settings(ROLE, DirectorySettings)
    context.site.folder(ROLE).mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate(context.database(ROLE), _HOME / "migrations")
    (context.site.folder(ROLE) / "writer.lock").touch(0o600)
    _secret(context.site.folder(ROLE) / NUMBERS_KEY)
    services = {role: _secret(context.site.folder(role) / "ldap.secret") for role in slapd.SERVICES}
    services[slapd.LOOKUP] = _secret(context.site.folder(ROLE) / LOOKUP_FILE)
    for name, target in settings.portal_accounts.items():
        # A portal of the site's own is handed its half here; of any other one the operator has it.
        if name in PORTALS and target.token_file is not None:
            _shared_token(target.token_file, context.site.folder(f"portal:{name}") / ACCOUNTS_FILE)
    key = new_key()
    recorder.record(_base_tree(context, key, Outcome.INTENDED))
    made = slapd.prepare(settings, context.site, services)
    recorder.record(_base_tree(context, key, Outcome.SUCCESS, already_there=not made))


def application(context: Context) -> Flask:
    """The administrators' desk; starts the relay and finishes what an earlier run left."""
    database = context.database(ROLE)
    # New code may meet the tables of an older one.
    migrate(database, _HOME / "migrations")
    store = Store(database)
    # A site that was born before there were numbers to seal.
    _secret(context.site.folder(ROLE) / NUMBERS_KEY)
    recorder = context.recorder(ROLE)
    lock = context.site.folder(ROLE) / "relay.lock"
    relay = Relay(store.outbox, recorder, source=ROLE, clock=context.clock, lock=lock)
    keeper = _writer(context, store, recorder, relay.nudge)
    relay.start()
    told = bool(context.settings(ROLE, DirectorySettings).portal_accounts)
    feed = context.feed(ROLE, about=(*LOGINS, *WITHDRAWN, RELEASED, *((*HEARD, *WIDE) if told else ())))
    hear = hearing(store, keeper.outsiders, keeper.provisioning, context.clock)
    Follower(feed, start=store.heard, hear=hear, clock=context.clock).start()
    ledger = keeper.comparing.ledger
    of_us = context.feed(ROLE, about=("directory.",))
    Follower(of_us, start=ledger.heard, hear=_telling(ledger), clock=context.clock).start()
    threading.Thread(target=_keep_house, args=(keeper,), name="directory-house", daemon=True).start()
    if told:
        tell = threading.Thread(
            target=_keep_portals, args=(context, keeper.provisioning), name="directory-portals", daemon=True
        )
        tell.start()
    guard = context.guard(ROLE, audience=context.site.host("directory"), callers=_callers(context))

    def ready() -> None:
        store.check()
        keeper.directory.check()

    return context.flask(
        ROLE,
        guard=guard,
        blueprints=[
            web.blueprint(
                keeper,
                guard,
                recorder=recorder,
                clock=context.clock,
                changes=RecordedChanges(context.peer(ROLE, "audit")),
                origin=context.site.origin("directory", "management"),
            ),
            web.published(keeper.publishing, keeper.numbering, guard),
            web.own.blueprint(keeper.own, guard),
            web.entrusting.blueprint(keeper.entrusting, guard, directory=keeper.directory),
        ],
        translations=[_HOME / "translations"],
        ready=ready,
        standing=relay.standing,
    )


def _callers(context: Context) -> list[str]:
    """Who may call: sign-on not before a site of an earlier release has given them a secret."""
    path = context.site.secret_path(holder=ROLE, caller="sso", callee=ROLE)
    return ["ca", "sso"] if path.exists() else ["ca"]


def install_breaches(context: Context, corpus: Path) -> int:
    """Let no password be set that stands in this corpus of breached ones; how many it has. Done as the role's user.

    Raises:
        UnreadableBreaches: it is no such corpus; what was installed stays.
        ActingFailed: the role's user cannot read it.
    """

    def work() -> bytes:
        with corpus.open("rb") as lines:
            return str(build(lines, context.site.folder(ROLE) / FILE)).encode()

    return int(Users.detect().acting(ROLE, work))


def hearing(
    store: Store, outsiders: Outsiders, provisioning: Provisioning, clock: Clock
) -> Callable[[Sequence[Entry]], None]:
    """Note who logged in on which day, so that dormant accounts are found; bar devices whose certificate was withdrawn.

    Where the directory's server does not answer, all of it is heard again.
    """

    def hear(entries: Sequence[Entry]) -> None:
        if entries:
            for each in entries:
                _withdrawn(outsiders, each.event)
            provisioning.hear(each.event for each in entries)
            days = {
                each.event.subject: each.event.at.date().isoformat()
                for each in entries
                if each.event.subject and each.event.type in LOGINS and each.event.outcome is Outcome.SUCCESS
            }
            store.hear(days, position=entries[-1].index + 1, since=clock.now().date().isoformat())

    return hear


def _telling(ledger: Ledger) -> Callable[[Sequence[Entry]], None]:
    """Keep what the record says is in the directory."""

    def hear(entries: Sequence[Entry]) -> None:
        if entries:
            ledger.hear([(each.index, each.event) for each in entries])
        else:
            ledger.is_current = True

    return hear


def compare(context: Context) -> list[str]:
    """Every difference between the record and the tree, line by line; done as the role's user."""

    def work() -> bytes:
        found = writer(context).comparing.run(pause=lambda: threading.Event().wait(_ARRIVES))
        lines = [f"{each.how} {each.branch} {each.key}" for each in found.told]
        if found.differences > len(found.told):
            lines.append(f"and {found.differences - len(found.told)} more")
        return "\n".join(lines).encode("utf-8")

    return _lines(Users.detect().acting(ROLE, work))


def _withdrawn(outsiders: Outsiders, event: Event) -> None:
    if not event.subject or not str(event.attributes.get("issuer", "devices")).startswith("devices"):
        return
    if event.type in WITHDRAWN and event.outcome is not Outcome.FAILURE:
        outsiders.bar(event.subject, event.object)
    elif event.type == RELEASED and event.outcome is Outcome.SUCCESS:
        outsiders.release(event.subject, event.object)


def writer(context: Context) -> DirectoryWriter:
    """The writer outside its role, for the operator's own commands; the running role's relay delivers its outbox."""
    if context.site.folder(ROLE).is_dir():
        # A site that was born before there were numbers to seal.
        _secret(context.site.folder(ROLE) / NUMBERS_KEY)
    return _writer(context, Store(context.database(ROLE)), context.recorder(ROLE), lambda: None)


def bring_forward(context: Context, *, until: date | None, execute: bool) -> list[str]:
    """What an older tree lacks, line by line, and with ``execute`` bring it forward; done as the role's user."""

    def work() -> bytes:
        keeping = writer(context).keeping
        found = keeping.migrate(until=until) if execute else keeping.migration()
        lines = [f"branch {name}" for name in found.branches]
        lines += [f"grant of {role} to {person.username} ({person.subject})" for person, role in found.grants]
        lines += [f"credit code of {identifier} in clear" for identifier in found.codes]
        return "\n".join(lines).encode("utf-8")

    return _lines(Users.detect().acting(ROLE, work))


def software(context: Context, act: Callable[[Outsiders], object] | None = None) -> list[str]:
    """Do something about what reads by LDAP, and tell line by line who may; done as the role's user."""

    def work() -> bytes:
        outsiders = writer(context).outsiders
        if act is not None:
            act(outsiders)
        lines = []
        for each in outsiders.all():
            state = "reads" if each.reads else "shut out"
            lines.append(f"{each.id} {state} until {each.until}: {' '.join(each.rights)} ({each.name})")
        return "\n".join(lines).encode("utf-8")

    return _lines(Users.detect().acting(ROLE, work))


def programs(context: Context, act: Callable[[Enrolling], object] | None = None) -> list[str]:
    """Do something about what keeps the directory by SCIM, and tell line by line who may; done as the role's user."""

    def work() -> bytes:
        enrolling = writer(context).enrolling
        if act is not None:
            act(enrolling)
        lines = [
            f"{each.client} may {' '.join(sorted(each.doings))} until {each.until}: {' '.join(each.organisations)}"
            for each in enrolling.all()
        ]
        return "\n".join(lines).encode("utf-8")

    return _lines(Users.detect().acting(ROLE, work))


def enter_file(
    context: Context, file: BinaryIO, kind: str, *, refuse: Callable[[Refusal], None], tell: Callable[[Course], None]
) -> Course:
    """Enter a file of any length while the role runs; done as the role's user, who need not be able to open it.

    Raises:
        TallygateError: as ``Importing.enter``.
    """

    def work() -> bytes:
        store = Store(context.database(ROLE))
        importing = Importing(
            _writer(context, store, context.recorder(ROLE), lambda: None), waiting=store.behind, pause=time.sleep
        )
        return json.dumps(asdict(importing.enter(file, kind, refuse=refuse, tell=tell))).encode()

    return Course(**json.loads(Users.detect().acting(ROLE, work)))


def check(context: Context, *, mend: bool) -> list[str]:
    """What differs from posts and grants and which duties clash, line by line; done as the role's user."""

    def work() -> bytes:
        opened = writer(context)
        lines = [
            f"{person.username} ({person.subject}) holds both {one} and {other}"
            for one, other, person in opened.standings.clashes()
        ]
        for drift in opened.keeping.mend() if mend else opened.keeping.drifts():
            told = [*(f"lacks {role}" for role in drift.missing), *(f"nobody gave {role}" for role in drift.excess)]
            told += ["last days differ"] if drift.days else []
            lines.append(f"{drift.person.username} ({drift.person.subject}): {', '.join(told)}")
        return "\n".join(lines).encode("utf-8")

    return _lines(Users.detect().acting(ROLE, work))


def unrecorded(context: Context, *, undo: int | None) -> list[str]:
    """What changed without a record and is open, with what would undo it; or undo one. Done as the role's user."""

    def work() -> bytes:
        opened = writer(context).unrecorded
        if undo is not None:
            opened.undo(undo, actor="")
        lines = []
        for each in opened.newest():
            if each.fate is not Fate.OPEN:
                continue
            lines.append(f"{each.number} {each.at:%Y-%m-%d %H:%M:%S} {each.seen.verb} {each.seen.dn} {each.seen.names}")
            try:
                steps = opened.preview(each.number)
            except ChangedSince as error:
                lines.append(f"  cannot be undone: {error.code}")
            else:
                lines += [f"  would {step.verb} {step.dn} {step.attribute}".rstrip() for step in steps]
        return "\n".join(lines).encode("utf-8")

    return _lines(Users.detect().acting(ROLE, work))


def _lines(told: bytes) -> list[str]:
    return told.decode("utf-8").splitlines()


def prepare(context: Context) -> None:
    """Bring slapd's configuration up to the settings and to this release; at every start, before slapd, by its user.

    Raises:
        ConfigurationError: slapd does not take it.
    """
    settings = context.settings(ROLE, DirectorySettings)

    def write() -> bytes:
        slapd.configure(settings, context.site)
        return b""

    Users.detect().acting("slapd", write)


def command(context: Context) -> list[str]:
    """How the supervisor runs slapd in the foreground."""
    return slapd.command(context.settings(ROLE, DirectorySettings), context.site)


def _portals(context: Context) -> Portals:
    """Portals that are told who has an account there, and the guarded way to each."""
    targets = context.settings(ROLE, DirectorySettings).portal_accounts
    if not targets:
        return Portals()
    return Portals(targets=targets, key=context.kept_key(ROLE, PORTALS_KEY), remote=portal_way)


def portal_way(target: PortalAccounts) -> Remote:
    """The way to one portal, proved by what its settings name.

    Raises:
        ConfigurationError: its token, certificate or authorities cannot be read, or others can read them.
    """
    try:
        trusted = ssl.create_default_context(cafile=target.authorities)
        if target.certificate and target.key:
            trusted.load_cert_chain(target.certificate, target.key)
    except OSError as error:
        raise ConfigurationError(where=target.url, why=error.strerror or "its certificates cannot be used") from error
    seconds = target.timeout.total_seconds()
    fetcher = Fetcher(context=trusted, private=target.private, timeout=seconds, largest=_LONGEST_TOLD)
    pause, slot = threading.Event(), 1 / target.rate

    def pace() -> None:
        pause.wait(slot)

    token = private_text(target.token_file).strip() if target.token_file else ""
    return Remote(target.url, ask=fetcher.ask, authorization=f"Bearer {token}" if token else "", pace=pace)


def _keep_portals(context: Context, provisioning: Provisioning) -> None:
    """Tell portals, in one process of the role at a time; another one goes on when it dies."""
    path = context.site.folder(ROLE) / "portals.lock"
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pause = threading.Event()
        while not pause.wait(_PORTALS_SECONDS):
            _done("portals", provisioning.work)


def second_command(context: Context) -> list[str]:
    """The same for the second provider; empty where there is one server."""
    settings = context.settings(ROLE, DirectorySettings)
    return slapd.command(settings, context.site, second=True) if settings.second_port else []


def begin_second_again(context: Context) -> None:
    """Let the second provider be a fresh copy of the first one from the next start on; the site is stopped."""

    def forget() -> bytes:
        slapd.forget_second(context.site)
        return b""

    def begin() -> bytes:
        database = context.database(ROLE)
        migrate(database, _HOME / "migrations")
        store = Store(database)
        store.forget_watched(SECOND)
        store.go_over(second=False, records=())
        database.close()
        return b""

    users = Users.detect()
    users.acting("slapd", forget)
    users.acting(ROLE, begin)


def _writer(context: Context, store: Store, recorder: Recorder, nudge: Callable[[], None]) -> DirectoryWriter:
    settings = context.settings(ROLE, DirectorySettings)
    return open_writer(
        settings,
        site=context.site,
        store=store,
        recorder=recorder,
        clock=context.clock,
        nudge=nudge,
        post=mail.post(context, settings.mail_password),
        portals=_portals(context),
    )


def _keep_house(keeper: DirectoryWriter) -> None:
    """Carry out what was decided while slapd was down, and look for what was changed past the writer."""

    def look() -> None:
        if changes := keeper.watch.look():
            _log.error("changed_without_record", changes=changes)

    pause, complete, days = threading.Event(), False, Days(keeper, _done)
    while not pause.wait(_HOUSE_SECONDS):
        days.turn()
        _done("letters", keeper.letters.round)
        _done("survey", keeper.accounts.survey)
        _done("compare", lambda: keeper.comparing.nightly(pause=lambda: pause.wait(_ARRIVES)))
        if keeper.providers is not None:
            _done("providers", keeper.providers.tend)
        _done("collect", keeper.reviewing.collect)
        complete = complete or _done("complete_tree", keeper.complete_tree)
        _done("replay", keeper.replay)
        _done("watch", look)
        _done("undo", keeper.reverting.tend)


def _done(name: str, work: Callable[[], object]) -> bool:
    try:
        work()
    except TallygateError as error:
        _log.warning(f"{name}_waits", code=error.code)
    except Exception:  # noqa: BLE001 - without its thread what was taken away would stay in the tree
        _log.error(f"{name}_failed", exc_info=True)
    else:
        return True
    return False


def _base_tree(context: Context, key: str, outcome: Outcome, *, already_there: bool = False) -> Event:
    return Event(
        key=new_key(),
        type="directory.entry.created",
        outcome=outcome,
        at=context.clock.now(),
        source=ROLE,
        object=key,
        attributes={"kind": "base", "already_there": already_there},
    )


def _shared_token(own: Path, theirs: Path) -> None:
    """One token in two files, each for one role alone."""
    if not own.exists():
        write_secret(own, secrets.token_urlsafe(32).encode())
    theirs.unlink(missing_ok=True)
    theirs.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret(theirs, own.read_bytes())


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_secret(path, secrets.token_bytes(32))
    return path.read_bytes()
