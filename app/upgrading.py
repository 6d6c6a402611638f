# SPDX-License-Identifier: Apache-2.0
"""`tallygate upgrade`: what a site that an earlier release bore lacks, told first and then given to it; roles stopped.

Tables and slapd's schema follow by themselves at the next start. What does not: secrets of pairs that may speak to
each other since, names in the certificates of the servers, registrations of the site's own clients, and the tree.
Each step sees for itself what is missing, so the whole can be repeated, and goes on where it was interrupted.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from cryptography import x509

from core.log import LogSettings
from gateway import EGRESS, GatewaySettings
from gateway.proxy import host_names

from . import birth, holding
from .context import Context
from .errors import NotBorn
from .files import replace
from .pairs import PAIRS
from .processes import processes
from .supervisor import Supervisor
from .users import Users
from .wiring import directory, registering, signing_client

_SERVERS = ("slapd", "log")
"""What runs meanwhile: the tree is asked and changed by its server, and everything that grants is recorded."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that the site lacks."""

    says: str
    do: Callable[[], object]


def upgrade(context: Context, say: Callable[[str], None], *, preview: bool) -> int:
    """Say what the site lacks and, unless it is a preview, give it that; how many things that were.

    Raises:
        NotBorn: there is no site.
        LeadsElsewhere: a role left a link in its folder.
        StartFailed: the log or the directory does not start; nothing was done.
        RecordUnavailable: something could not be recorded; what was done before stays.
    """
    if not holding.is_born(context.site):
        raise NotBorn
    found = 0
    # Whoever is asked below needs the secrets of its pairs, so these come before anything runs.
    for step in pairs(context):
        found += 1
        _go(step, say, preview=preview)
    with _servers(context):
        for part in (certificates, signing, clients, tree):
            for step in part(context):
                found += 1
                _go(step, say, preview=preview)
    if not found:
        say("Nothing to do.")
    elif preview:
        say("Nothing was changed. Repeat without --preview.")
    return found


def _go(step: Step, say: Callable[[str], None], *, preview: bool) -> None:
    say(step.says)
    if not preview:
        step.do()


def pairs(context: Context) -> list[Step]:
    """Secrets of callers and callees that could not speak to each other before."""
    site, users = context.site, Users.detect()
    missing = [
        (caller, callee)
        for caller, callee in PAIRS
        if not any(
            site.secret_path(holder=holder, caller=caller, callee=callee).exists() for holder in (caller, callee)
        )
    ]
    return [
        Step(
            says=f"A secret between {caller} and {callee}",
            do=partial(birth.complete_pair, site, users, caller, callee),
        )
        for caller, callee in missing
    ]


def certificates(context: Context) -> list[Step]:
    """Hosts that have come since the certificate of nginx was issued."""
    users = Users.detect()
    shown = users.acting("nginx", (context.site.folder("nginx") / "tls.pem").read_bytes)
    names = x509.load_pem_x509_certificate(shown).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    known = set(names.value.get_values_for_type(x509.DNSName))
    wanted = set(host_names(context.site, context.settings("gateway", GatewaySettings)))
    way_out = context.site.ports.egress and not (context.site.folder("gateway") / "tls.pem").exists()
    if way_out:
        wanted.add(context.site.host(EGRESS))
    if wanted <= known:
        return []

    def do() -> None:
        made = json.loads(users.acting("ca", partial(birth.certified, context)))
        for holder, files in made.items():
            users.acting(holder, partial(birth.installed, context, holder, files))

    return [Step(says=f"New certificates of the servers, for {' '.join(sorted(wanted - known))}", do=do)]


def signing(context: Context) -> list[Step]:
    """The key by which the role that signs for people proves itself at sign-on, and its registration there."""
    if registering.knows_signing(context):
        return []
    users = Users.detect()

    def do() -> None:
        public = users.acting("signatures", lambda: signing_client.published(signing_client.client_key(context)))
        replace(context.site.public / signing_client.PUBLISHED, public)
        registering.enter_signing(context)

    return [Step(says="Registration of the signing of documents at the sign-on, by a key of its own", do=do)]


def clients(context: Context) -> list[Step]:
    """Registrations of gateway and sample portals that allow less than this release asks for."""
    return [
        Step(says=f"Registration of {name} at the sign-on: {what}", do=partial(registering.renew_client, context, name))
        for name, what in registering.old_clients(context).items()
    ]


def tree(context: Context) -> list[Step]:
    """What `tallygate directory migrate` tells, one step for all of it."""
    lines = directory.bring_forward(context, until=None, execute=False)
    if not lines:
        return []
    do = partial(directory.bring_forward, context, until=None, execute=True)
    return [Step(says="\n".join(["In the directory:", *(f"  {line}" for line in lines)]), do=do)]


@contextmanager
def _servers(context: Context) -> Iterator[None]:
    users = Users.detect()
    users.open_run(context.site)
    directory.prepare(context)
    every = processes(context.site, context.path, slapd=tuple(directory.command(context)), nginx=())
    supervisor = Supervisor(
        [each for each in every if each.name in _SERVERS],
        users=users,
        logs=context.site.state / "logs",
        settings=context.settings("logs", LogSettings),
        clock=context.clock,
    )
    try:
        supervisor.start()
        yield
    finally:
        supervisor.stop()
