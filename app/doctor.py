# SPDX-License-Identifier: Apache-2.0
"""`tallygate doctor`: what is wrong with a site, in words, without changing anything."""

import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from audit.merkle import VerifierKey
from audit.models_settings import changed
from audit.reader import LogReader
from audit.verify import verify_chain_of
from audit.watch import Standing
from ca.config import CASettings
from core.calls import Peer
from core.errors import TallygateError
from core.site import PORTALS, ROLES, SiteSettings
from gateway import GatewaySettings
from gateway.config import LISTENERS
from policies.errors import BundleRefused, PoliciesUnusable
from signatures.config import SignatureSettings
from signatures.service import FollowedLists

from . import holding, in_force, settings
from .context import Context
from .users import Users
from .wiring import alerts, casework, lineage, policies, switches

LEAST_FREE = 1 << 30
"""Bytes of disk below which the log may soon have to refuse."""
RENEW_BEFORE = timedelta(days=14)
LONGEST_WAIT = 60
"""Seconds after which a record should have reached the log."""
SOCKET_PATH_LIMIT = 107
"""Bytes a Unix socket path may have on Linux (unix(7): 108 with the final zero)."""


_LISTS = {
    "none": "no version of it was accepted so far",
    "overdue": "its next issue is overdue; fetch it from its keeper and call “tallygate trust-list follow”",
    "signature": "it is not signed by the key that was pinned for it",
    "form": "its file or its key cannot be read",
    "withdrawn": "the settings, or the list of lists that led to it, name it no more",
}
_FETCHES = {
    "unreachable": "its server cannot be reached",
    "answer": "its server answers with an error or leads somewhere else",
    "signer": "the file that names its signer cannot be used, or another key is pinned for it",
    "signature": "what came is not signed by whom the settings name",
    "form": "what came is no list",
    "overdue": "what came is overdue",
    "older": "what came is older than what is kept",
    "fork": "what came has the number of the kept version and is another",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    subject: str
    good: bool
    says: str


def examine(context: Context) -> list[Finding]:
    """Look at everything; a check that fails unexpectedly is a finding, not a crash."""
    checks: list[tuple[str, Callable[[Context], Iterator[Finding]]]] = [
        ("configuration", _configuration),
        ("birth", _birth),
        ("separation", _separation),
        ("disk", _disk),
        ("socket paths", _socket_paths),
        ("clock", _clock),
        ("certificates", _certificates),
        ("directory", _directory),
        ("roles", _roles),
        ("duties of the record", _duties),
        ("log", _log),
        ("settings", _settings),
        ("policies", _policies),
        ("emergency switches", _switches),
        ("security incidents", _incidents),
        ("alert rules", _alert_rules),
        ("assessments", _assessments),
        ("trust lists", _trust_lists),
        ("level of seals", _level),
    ]
    findings: list[Finding] = []
    for subject, check in checks:
        try:
            findings += check(context)
        except (OSError, ValueError, TallygateError) as error:
            findings.append(Finding(subject, good=False, says=f"could not be checked: {error}"))
    return findings


def _configuration(context: Context) -> Iterator[Finding]:
    settings.check(context)
    yield Finding("configuration", good=True, says="every section can be read")


def _birth(context: Context) -> Iterator[Finding]:
    born = holding.is_born(context.site)
    yield Finding("birth", born, "finished" if born else "not finished: run “tallygate init”")


def _separation(context: Context) -> Iterator[Finding]:
    users = Users.detect()
    if not users.sockets_shared(context.site):
        yield Finding(
            "separation",
            good=False,
            says="new sockets do not take the group of the site, so roles cannot reach each other: run “tallygate init "
            "--unless-born” as root with every capability, then restart the roles",
        )
    elif users.separate:
        yield Finding("separation", good=True, says="every role runs as its own system user")
    else:
        yield Finding(
            "separation",
            good=True,
            says="all roles share one system user: right for a demonstration, wrong for a government; start as root "
            "from a folder that other users may read",
        )


def _disk(context: Context) -> Iterator[Finding]:
    free = shutil.disk_usage(context.site.state).free
    enough = free >= LEAST_FREE
    says = f"{free >> 20} MiB free" + ("" if enough else "; a full disk stops every access")
    yield Finding("disk", enough, says)


def _socket_paths(context: Context) -> Iterator[Finding]:
    longest = max(len(str(context.site.socket(f"portal:{name}")).encode()) for name in PORTALS)
    good = longest <= SOCKET_PATH_LIMIT
    yield Finding("socket paths", good, f"longest is {longest} of {SOCKET_PATH_LIMIT} bytes")


def _clock(context: Context) -> Iterator[Finding]:
    reader = _reader(context)
    size = reader.checkpoint().size
    last = reader.entry(size - 1).event.at
    now = context.clock.now()
    good = last <= now + timedelta(seconds=5)
    says = "runs after the last entry of the log" if good else f"is behind the last entry of the log ({last})"
    yield Finding("clock", good, says)


def _certificates(context: Context) -> Iterator[Finding]:
    site = context.site
    places = ("", "issuers", "ml-dsa", "ml-dsa/issuers", "cross")
    files = [path for where in places for path in _authorities(site, where)]
    files += [site.folder("nginx") / "tls.pem", site.folder("slapd") / "tls.pem"]
    files += [site.folder("gateway") / "tls.pem"] if site.ports.egress else []
    for path in files:
        yield _certificate(path, context)
    for path in (*sorted(site.public.glob("root*.crl")), *sorted((site.public / "ml-dsa").glob("root*.crl"))):
        yield _root_list(path, context)


def _authorities(site: SiteSettings, where: str) -> list[Path]:
    """Certificates of authorities in one part of the public folder; other keys lie in its top."""
    return sorted((site.public / where).glob("root*.pem" if where in ("", "ml-dsa") else "*.pem"))


def _certificate(path: Path, context: Context) -> Finding:
    certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    left = certificate.not_valid_after_utc - context.clock.now()
    if left < timedelta():
        return Finding(
            f"certificate {path.name}", good=False, says="has expired: run “tallygate init --renew-processes”"
        )
    good = left > RENEW_BEFORE
    return Finding(f"certificate {path.name}", good, f"{left.days} days left")


def _root_list(path: Path, context: Context) -> Finding:
    ends = x509.load_der_x509_crl(path.read_bytes()).next_update_utc
    left = ends - context.clock.now() if ends else timedelta()
    what = "root's revocation list" if path.stem == "root" else f"revocation list of {path.stem}"
    if left > RENEW_BEFORE:
        return Finding(what, good=True, says=f"{left.days} days left")
    says = "has ended" if left < timedelta() else f"{left.days} days left"
    return Finding(what, good=False, says=f"{says}: hold a ceremony “root-list” (tallygate ca ceremony)")


def _directory(context: Context) -> Iterator[Finding]:
    path = context.site.socket("slapd", "ldapi")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError as error:
            yield Finding("directory", good=False, says=f"slapd does not answer ({error.strerror}): nobody can log in")
            return
    yield Finding("directory", good=True, says="slapd answers")


def _roles(context: Context) -> Iterator[Finding]:
    for role in (*ROLES, *(f"portal:{name}" for name in PORTALS), "nginx"):
        peer = Peer(path=context.site.socket(role), caller="doctor", secret=b"", timeout=3)
        try:
            told = _numbers(peer.call("GET", "/readyz").body)
            yield Finding(f"role {role}", good=True, says="is ready")
        except TallygateError as error:
            told = {name: number for name, number in error.parameters.items() if isinstance(number, int)}
            yield Finding(f"role {role}", good=False, says=f"is not ready: {error.detail}")
        finally:
            peer.close()
        if "outbox_waiting" in told:
            yield _outbox(role, told)
        if "issuers" in told:
            yield _issuers(told, context.site)
        for name, finding in _TOLD.items():
            if name in told:
                yield finding(told)


def _duties(context: Context) -> Iterator[Finding]:
    try:
        standings = Standing.ask(context.site.socket("audit", "watch"))
    except OSError as error:
        says = f"the process “watch” does not answer ({error.strerror}): nothing is indexed, checked or exported"
        yield Finding("duties of the record", good=False, says=says)
        return
    for name, standing in standings.items():
        says = f"done at {standing.done}" if standing.done else "not done yet"
        if standing.why:
            says = f"failed at {standing.failed}: {standing.why}; {says}"
        yield Finding(f"duty {name}", good=not standing.why, says=says)


def _index(told: Mapping[str, int]) -> Finding:
    percent, mended = told.get("index_compared_percent", 0), told.get("index_parts_mended", 0)
    says = f"{percent} % of this round are compared with the log; {mended} parts were mended so far"
    if told["index_part_bad"]:
        says += "; a part is not what the log says and could not be mended: run “tallygate audit reindex”"
    return Finding("search index", good=not told["index_part_bad"], says=says)


def _exports(told: Mapping[str, int]) -> Finding:
    failing, behind = told["exports_failing"], told.get("exports_behind", 0)
    says = f"{failing} targets take nothing" if failing else "every target takes what it is sent"
    return Finding("exports", good=not failing, says=f"{says}; the one furthest behind lacks {behind} entries")


def _checked(told: Mapping[str, int]) -> Finding:
    wrong, age = told["check_open"], told.get("check_age_seconds")
    says = "everything that was issued is as it was to be" if not wrong else f"{wrong} things are wrong"
    says += "; not everything was checked yet" if age is None else f"; all of it was checked {age // 3600} hours ago"
    if wrong:
        says += ": run “tallygate ca check”, or see the page of checks of the registration desk"
    return Finding("certificates issued", good=not wrong, says=says)


def _numbers(body: bytes) -> dict[str, int]:
    """What a role tells of itself behind the word that it is ready."""
    pairs = (line.split(" ") for line in body.decode("utf-8", "replace").splitlines()[1:])
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}  # noqa: PLR2004 - a pair


def _quorum(told: Mapping[str, int]) -> Finding:
    met, behind = bool(told["witness_quorum"]), told.get("witness_behind", 0)
    says = "enough of them cosign" if met else "too few of them cosign: see the page of witnesses of the audit console"
    return Finding("witnesses", met, f"{says}; {behind} entries are not witnessed")


def _stamps(told: Mapping[str, int]) -> Finding:
    age = told.get("stamp_age_seconds")
    says = "nothing has been stamped yet" if age is None else f"the last one is {age // 60} minutes old"
    if told["stamp_failing"]:
        says += "; none can be had now: see the page of time-stamps of the audit console"
    return Finding("time-stamps", good=not told["stamp_failing"], says=says)


def _outbox(role: str, told: Mapping[str, int]) -> Finding:
    waiting, aside = told["outbox_waiting"], told.get("outbox_aside", 0)
    # A record whose age cannot be read cannot be delivered either.
    age = told.get("outbox_oldest_seconds", LONGEST_WAIT + 1)
    says = f"{waiting} wait for the log, the oldest for {age} s" if waiting else "nothing waits for the log"
    if aside:
        says += f"; {aside} were refused and set aside, see the table outbox_aside of the role"
    return Finding(f"records of {role}", good=age <= LONGEST_WAIT and not aside, says=says)


def _published(told: Mapping[str, int]) -> Finding:
    """What the directory shows of certificates and revocation lists."""
    waiting, age = told["published_waiting"], told.get("published_oldest_seconds", 0)
    refused, too_long = told.get("published_refused", 0), told.get("published_too_long", 0)
    says = f"{waiting} entries wait to be brought up to date, the oldest for {age} s" if waiting else "up to date"
    if refused:
        says += f"; {refused} were not taken, see the log of the role ca"
    if too_long:
        says += f"; the lists of {too_long} authorities are too long for it and stand at their addresses alone"
    return Finding("certificates in the directory", good=age <= LONGEST_WAIT and not refused, says=says)


def _issuers(told: Mapping[str, int], site: SiteSettings) -> Finding:
    """Whether the running role knows every issuing authority that a ceremony left."""
    lie = sum(len(list((site.public / where).glob("*.pem"))) for where in ("issuers", "ml-dsa/issuers"))
    if told["issuers"] == lie:
        return Finding("issuing authorities", good=True, says=f"the role ca knows all {lie}")
    says = f"the role ca knows {told['issuers']} of {lie}; its log says why, and ending its processes starts them again"
    return Finding("issuing authorities", good=False, says=says)


def _units(told: Mapping[str, int]) -> Finding:
    """The time-stamping authority."""
    number, bad, left = told["units"], told.get("units_not_stamping", 0), told.get("unit_least_days")
    says = f"{number - bad} of {number} can stamp"
    if bad:
        says += "; see the desk's page of time-stamping"
    if told.get("unit_clock_unsound"):
        says += "; nothing is stamped, because the clock is in doubt"
    if left is not None:
        says += f"; the first certificate ends in {left} days"
    near = left is not None and left <= RENEW_BEFORE.days
    return Finding("time-stamping units", good=not (bad or near or told.get("unit_clock_unsound")), says=says)


def _reading(told: Mapping[str, int]) -> Finding:
    layers = {name.removeprefix("reader_"): holds for name, holds in told.items() if name.startswith("reader_")}
    tongsuo = layers.pop("sm2_tongsuo", 0)
    held = [f"{name} (version {holds})" if holds > 1 else name for name, holds in layers.items() if holds]
    missing = [name for name, holds in layers.items() if not holds]
    says = f"documents are opened in processes locked in by {', '.join(held)}"
    if missing:
        says += f"; this machine has no {', no '.join(missing)} for them, so the others hold alone"
    says += f"; SM2 is verified by {'Tongsuo' if tongsuo else 'our own arithmetic'}"
    return Finding("reading processes", good=bool(layers["seccomp"]), says=says)


def _archive(told: Mapping[str, int]) -> Finding:
    """What the archive says of what it keeps."""
    kept, due, lost = told["archive_kept"], told.get("archive_due", 0), told.get("archive_lost", 0)
    says = f"{kept} documents are provable, {told.get('archive_waiting', 0)} wait for lists of their issuers"
    if due:
        says += f"; {due} could not be stamped again so far, see the page of the archive"
    if lost:
        says += f"; {lost} cannot be proved any more: their newest stamps ended"
    return Finding("archive of documents", good=not due and not lost, says=says)


_TOLD: Mapping[str, Callable[[Mapping[str, int]], Finding]] = {
    "published_waiting": _published,
    "units": _units,
    "check_open": _checked,
    "witness_quorum": _quorum,
    "stamp_failing": _stamps,
    "index_part_bad": _index,
    "exports_failing": _exports,
    "reader_seccomp": _reading,
    "archive_kept": _archive,
}
"""What is found by a number that a role tells of itself."""


def _log(context: Context) -> Iterator[Finding]:
    logs = [(blobs.get, VerifierKey.parse(key)) for blobs, key in lineage.every_log(context)]
    reports = verify_chain_of(logs)
    says = f"every tile and leaf of {sum(report.size for report in reports)} entries agrees with the signed tree"
    if len(reports) > 1:
        says += f", in {len(reports)} logs of which each continues the one before"
    yield Finding("log", good=True, says=says)


def _assessments(context: Context) -> Iterator[Finding]:
    routes = context.settings("gateway", GatewaySettings).routes
    today = context.clock.now().date()
    for label, route in routes.items():
        if route.assessment is not None:
            due = route.assessment.due
            says = f"grade {route.assessment.grade}, to be assessed again by {due}"
            yield Finding(f"assessment of {label}", good=today <= due, says=says)
    without = [label for label, route in routes.items() if route.assessment is None]
    if without:
        yield Finding("assessments", good=True, says=f"none is stated for {', '.join(without)}")


def _settings(context: Context) -> Iterator[Finding]:
    """What the file says, what was recorded last, and with what each role began."""
    users, file = Users.detect(), in_force.stated(context.document)
    last = in_force.recorded_last(context)
    if last is None:
        says = "the record does not tell yet by which ones the site works; it does from the next start on"
        yield Finding("settings", good=False, says=says)
        return
    if file.same(last):
        yield Finding("settings", good=True, says="the site's file is as the record tells it")
    else:
        what = ", ".join(changed(last, file)) or "another version of the program"
        says = f"the site's file was changed since the record told of it ({what}): start the roles anew"
        yield Finding("settings", good=False, says=says)
    for name, role, part in in_force.BEGINNERS:
        path = in_force.begun_with(context, role, part)
        begun = users.acting(role, partial(_kept, path))
        if begun and begun != in_force.mark(last):
            says = "began with others than the record told of last: start it anew"
            yield Finding(f"settings of {name}", good=False, says=says)


def _kept(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _policies(context: Context) -> Iterator[Finding]:
    """By the settings as they are now, which is what each role reads at its next start."""
    try:
        engine = policies.engine(context)
    except (BundleRefused, PoliciesUnusable) as error:
        says = f"roles that start now refuse what is in force, and let nobody in: {error.detail}"
        yield Finding("policies", good=False, says=f"{says}; have it released anew, signed by who is named now")
        return
    yield Finding("policies", good=True, says=f"{engine.version} is in force")
    routes = context.settings("gateway", GatewaySettings).routes
    blind = ", ".join(label for label, route in routes.items() if not route.asks_certificate)
    for listener in LISTENERS:
        spoken = ", ".join(sorted(engine.spoken_for(listener)))
        if spoken and blind:
            says = (
                f"only what {spoken} may have too is given at {blind}, which ask proxies for no certificate (`peers`)"
            )
            yield Finding(f"proxies at listener {listener}", good=True, says=says)


def _switches(context: Context) -> Iterator[Finding]:
    shut = ", ".join(f"{each['name']} since {each['since']}" for each in switches.standing(context))
    yield Finding("emergency switches", good=True, says=f"shut: {shut}" if shut else "nothing is shut")


def _incidents(context: Context) -> Iterator[Finding]:
    late = casework.overdue(context)
    for each in late:
        yield Finding("security incidents", good=False, says=f"{each}; write it on the page of the case")
    if not late:
        yield Finding("security incidents", good=True, says="no report is overdue")


def _trust_lists(context: Context) -> Iterator[Finding]:
    rules = context.settings("signatures", SignatureSettings).fetching.lists
    lists = FollowedLists(context.site.folder("signatures") / "lists", settled=rules)
    standings = lists.standings(at=context.clock.now())
    for found in standings:
        says = f"number {found.number} is followed" if not found.why else f"not used: {_LISTS[found.why]}"
        told = lists.fetched(found.name)
        failure = told.failure if told and found.why != "withdrawn" else ""
        if told and told.answered:
            says += f", fetched last at {told.answered}"
        if failure:
            says += f"; {_FETCHES.get(failure, failure)}"
        # What is no longer wanted is nothing to repair.
        yield Finding(f"trust list of {found.name}", good=found.why in {"", "withdrawn"} and not failure, says=says)
    for name in sorted(set(rules) - {found.name for found in standings}):
        yield Finding(f"trust list of {name}", good=False, says="it was not fetched so far")


def _level(context: Context) -> Iterator[Finding]:
    """How long seals can be proved, and whether whoever stamps them, and the archive, is there."""
    own, made = context.settings("signatures", SignatureSettings), context.settings("ca", CASettings)
    archive = tuple(filter(None, (own.archive_unit, own.archive_second)))
    says = f"seals are of level {own.level}" + (f", stamped by the unit {own.unit}" if own.unit else "")
    says += f"; the archive is stamped by {' and '.join(archive)}" if archive else "; nothing is kept in the archive"
    missing = [
        unit
        for unit in dict.fromkeys(filter(None, (own.unit, *archive)))
        if unit not in made.timestamps.units and not (context.site.folder("ca") / "units" / f"{unit}.pem").exists()
    ]
    if missing:
        says += f"; there is no unit {', no unit '.join(missing)}: name it in [ca.timestamps.units]"
    yield Finding("level of seals", good=not missing, says=says)


def _alert_rules(context: Context) -> Iterator[Finding]:
    found = alerts.rules(context)
    for refused in found.refused:
        yield Finding(
            "alert rules", good=False, says=f"{refused.file} “{refused.title}” is not evaluated: {refused.why}"
        )
    alerts.flattener(context)
    yield Finding("alert rules", good=True, says=f"{len(found.rules)} are evaluated, {len(found.off)} are switched off")


def _reader(context: Context) -> LogReader:
    return LogReader(lineage.tiles(context), context.log_key)
