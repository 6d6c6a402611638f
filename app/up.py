# SPDX-License-Identifier: Apache-2.0
"""`tallygate up`: a site on this machine, from nothing to addresses and accounts, and down again on Ctrl-C.

A state folder belongs to one running supervisor (flock); a second `up` finds the first folder taken and makes its own
city with its own ports beside it.
"""

import sys
from collections.abc import Callable
from dataclasses import replace as replace_fields
from pathlib import Path

from core.errors import TallygateError
from core.log import LogSettings
from core.site import Ports, SiteSettings
from gateway import EGRESS

from . import birth, demo, settings
from .context import Context
from .files import replace
from .holding import configuration_of, held, is_born, let_others_pass
from .in_force import take_up
from .ports import PortClaims, free_ports
from .processes import processes
from .supervisor import Supervisor
from .users import Users
from .wiring import directory, gateway, policies, policing


def up(*, configuration: Path | None, state: Path | None, with_demo: bool, say: Callable[[str], None]) -> None:
    """Start a site and watch it until asked to stop.

    Raises:
        AlreadyUp: the given site is running.
        PortTaken: one of its ports is not free, or promised to another city.
        StartFailed: a process did not become ready.
    """
    let_others_pass()
    with held(configuration, state) as folder, PortClaims() as claims:
        file = configuration or configuration_of(folder)
        if not file.exists():
            write_configuration(file, free_ports(claims))
        context = Context.read(file.resolve())
        settings.check(context)
        site = context.site
        # Before a birth, which takes its time: nothing listens yet, and another city may be looking for ports.
        claims.take_all(site.ports)
        if not is_born(site):
            birth.init(context, say)
        supervisor = supervise(context, file.resolve())
        say("Starting the roles")
        try:
            supervisor.start()
            _end_release(context, say)
            if with_demo:
                demo.fill(context, say)
            say(_addresses(site, file))
            sys.stdout.flush()
            policing.serve_clerk(context)
            supervisor.run()
        finally:
            supervisor.stop()
        say("Stopped")


def _end_release(context: Context, say: Callable[[str], None]) -> None:
    try:
        version = policies.replay(context)
    except TallygateError as error:
        # The policies in force are what they were; the next release or start tries again.
        say(f"An interrupted policy release waits for its outcome: {error}")
    else:
        if version:
            say(f"The interrupted policy release {version} now has its outcome on the record")


def supervise(context: Context, file: Path) -> Supervisor:
    """The supervisor of a born site; nothing is started yet."""
    users = Users.detect()
    users.open_run(context.site)
    directory.prepare(context)
    gateway.prepare(context)
    *roles, proxy = processes(
        context.site,
        file,
        slapd=tuple(directory.command(context)),
        second=tuple(directory.second_command(context)),
        nginx=tuple(gateway.command(context)),
        edge=gateway.proxy_of(context),
    )

    def begin() -> bytes:
        take_up(context, "app")
        return b""

    def recorded() -> None:
        # What was prepared above was read before the roles read theirs, and the file may have changed meanwhile.
        users.acting("app", begin)

    return Supervisor(
        [*roles, replace_fields(proxy, first=recorded)],
        users=users,
        logs=context.site.state / "logs",
        settings=context.settings("logs", LogSettings),
        clock=context.clock,
    )


def write_configuration(file: Path, ports: Ports) -> None:
    """The sample city's one file; everything not written here has its default."""
    replace(
        file,
        f"""# SPDX-License-Identifier: Apache-2.0
[site]
name = "city"
domain = "city.localhost"
title = "Sample City"
title_zh = "示例市"
state = "."

[site.ports]
external = {ports.external}
internal = {ports.internal}
management = {ports.management}
plain = {ports.plain}
ldaps = {ports.ldaps}
{f"egress = {ports.egress}" if ports.egress else "# No way out."}

[audit]
# Reports for courts bear this bureau's seal.
evidence_seal = "data-bureau"
# Its own unit, so that there is something to see; a site's record is stamped by an authority of somebody else.
time_stamp_url = "http://pki.city.localhost:{ports.plain}/tsa/city"
time_stamp_roots = "public/anchors.pem"

[ca]
# Few enough certificates that the list of all of an issuer has a delta too.
whole_deltas = true
# Twins of ML-DSA keys: the second unit of the archive is certified by one, and so are signers who have such keys.
parallel = ["people", "infrastructure"]

[ca.est]
# Who enrols here waits until an officer has looked.
queued = ["approved"]
queue_pause = 5

[ca.est.labels]
approved = "device-client"
device-client = "device-client"
device-server = "device-server"

[ca.timestamps]
# A machine that only shows the city may have nothing that keeps its clock; a site whose stamps are evidence has.
synchronised = false

[ca.timestamps.units]
# For whoever asks; for seals; for the archive; and beside it, of a kind that quantum computers do not break.
city = "P-256"
seals = "P-256"
archive = "P-256"
lattice = "ML-DSA-65"

[ca.acme]
# The city's machines stand on this machine, where no client may listen at 80 and 443.
networks = ["127.0.0.0/8"]
http_port = 5002
tls_port = 5001
validation_pause = 1

[gateway.egress.destinations.standards]
# What civil servants reach beyond the city's networks; anything else is refused.
hosts = [".example.org"]

[signatures]
# What is sealed here carries what proves it, and the archive keeps it provable.
level = "LT"
unit = "seals"
archive_unit = "archive"
archive_second = "lattice"
# The archive waits for lists made so many seconds after a document came; a real one waits for an hour.
archive_grace = 60

[directory]
# A cheap cost, so that a sample of 560 people is entered in seconds; the default is for people who exist.
hash_memory_kib = 4096
hash_passes = 1

[directory.portal_accounts.documents]
# The document office is told who has an account there.
url = "https://office-accounts.city.localhost:{ports.internal}/scim/v2"
token_file = "directory/documents.token"
authorities = "public/root.pem"
private = true
groups = true
attributes = ["displayName", "entitlements"]
# It knows people by the directory's identifier anyhow: the gateway tells it with every request.
identifier = "subject"
""".encode(),
    )


def _addresses(site: SiteSettings, file: Path) -> str:
    rows = [
        ("Tax portal", site.origin("tax") + "/"),
        ("Social insurance", site.origin("social") + "/"),
        ("My account", site.origin("sso") + "/account"),
        ("Verify a document", site.origin("verify") + "/"),
        ("Sign a document", site.origin("sign") + "/"),
        ("Document office (internal)", site.origin("documents", "internal") + "/"),
        ("Audit console (management)", site.origin("audit", "management") + "/"),
        ("Registration desk (management)", site.origin("ca", "management") + "/"),
        ("ACME for machines", site.origin("acme") + "/acme/directory"),
        ("Time-stamps (plain)", site.origin("pki", "plain") + "/tsa/city"),
        ("Policy desk (management)", site.origin("audit", "management") + "/policies"),
        ("Directory desk (management)", site.origin("directory", "management") + "/"),
        ("Sign-on desk (management)", site.origin("accounts", "management") + "/"),
        ("Revocation lists (plain)", site.origin("pki", "plain") + "/"),
    ]
    if site.ports.egress:
        rows.append(("Way out, for cards (proxy)", f"https://{site.host(EGRESS)}:{site.ports.egress}"))
    width = max(len(name) for name, _ in rows)
    lines = ["", "The city is up.", ""]
    lines += [f"  {name:<{width}}  {address}" for name, address in rows]
    lines += ["", f"  Root certificate to trust in your browser: {site.public / 'root.pem'}"]
    lines += [f"  Configuration: {file}", "", "Sample accounts:", ""]
    lines += [f"  {account}" for account in demo.accounts(site)]
    lines += ["", "Ctrl-C stops everything."]
    return "\n".join(lines)
