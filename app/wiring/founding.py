# SPDX-License-Identifier: Apache-2.0
"""The authority's part in the birth of a site and in ceremonies, where no role runs but the log."""

from collections.abc import Mapping

from audit import Recorder
from audit.relay import Relay
from ca import CASettings, ceremony
from ca.service import (
    CertificateAuthority,
    open_authority,
)
from ca.store import Store
from directory import DirectorySettings
from gateway import EGRESS, GatewaySettings
from gateway.proxy import host_names

from ..context import Context


def found(context: Context, recorder: Recorder) -> None:
    """Hold the key ceremony."""
    database = context.database("ca")
    ceremony.found(
        site=context.site,
        settings=context.settings("ca", CASettings),
        database=database,
        recorder=recorder,
        clock=context.clock,
    )
    database.close()


def renew(context: Context) -> None:
    """New OCSP delegates and revocation lists for a site that was off; only its log runs."""
    database = context.database("ca")
    recorder = context.recorder("ca")
    # It migrates first; what waits is then delivered, also past a record that the log refuses.
    ceremony.renew(
        site=context.site,
        settings=context.settings("ca", CASettings),
        database=database,
        recorder=recorder,
        clock=context.clock,
    )
    relay(context, Store(database), recorder).drain()
    database.close()


def renew_root_list(context: Context) -> None:
    """A new list of the root's, where its key is at hand; by the operator, who alone can read it."""
    ceremony.renew_root_list(
        site=context.site,
        settings=context.settings("ca", CASettings),
        recorder=context.recorder("app"),
        clock=context.clock,
    )


def certify_servers(context: Context, recorder: Recorder) -> dict[str, dict[str, bytes]]:
    """Certify nginx, slapd and the way out; returns the files of each. Old certificates stay valid until they end."""
    site = context.site
    database = context.database("ca")
    store = Store(database)
    authority = open_authority(
        site=site,
        settings=context.settings("ca", CASettings),
        store=store,
        recorder=recorder,
        clock=context.clock,
        directory=None,
    )
    hosts = {
        "nginx": host_names(site, context.settings("gateway", GatewaySettings)),
        "slapd": (site.host("ldap"), "127.0.0.1", *context.settings("directory", DirectorySettings).listen),
    }
    if site.ports.egress:
        hosts["gateway"] = (site.host(EGRESS),)
    made = {label: ceremony.issue_server(authority, label=label, hosts=names) for label, names in hosts.items()}
    relay(context, store, recorder).drain()
    database.close()
    return made


def opened(context: Context, recorder: Recorder) -> CertificateAuthority:
    """The authority over its own tables, for a ceremony: for machines alone; outcomes wait for the role's relay."""
    return open_authority(
        site=context.site,
        settings=context.settings("ca", CASettings),
        store=Store(context.database("ca")),
        recorder=recorder,
        clock=context.clock,
        directory=None,
    )


def install(context: Context, holder: str, files: Mapping[str, bytes]) -> None:
    """Give a server what was made for it."""
    ceremony.install(context.site.folder(holder), files)


def relay(context: Context, store: Store, recorder: Recorder) -> Relay:
    """Brings the authority's outbox to the log."""
    lock = context.site.folder("ca") / "relay.lock"
    return Relay(store.outbox, recorder, source="ca", clock=context.clock, lock=lock)
