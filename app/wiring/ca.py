# SPDX-License-Identifier: Apache-2.0
"""Composes the role ``ca``: authority, relay, housekeeping and its pages; and its part in the birth of a site."""

from pathlib import Path

from flask import Flask

from app.context import Context
from audit import Recorder
from audit.relay import Relay
from ca import CASettings, CertificateVerifier, ceremony, web
from ca.models import ISSUERS
from ca.service import Housekeeping, open_authority
from ca.store import Store
from gateway import GatewaySettings
from gateway.proxy import host_names


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


def renew(context: Context, recorder: Recorder) -> None:
    """New OCSP delegates and revocation lists for a site that was off."""
    database = context.database("ca")
    ceremony.renew(
        site=context.site,
        settings=context.settings("ca", CASettings),
        database=database,
        recorder=recorder,
        clock=context.clock,
    )
    database.close()


def issue_process_certificates(context: Context, recorder: Recorder) -> None:
    """Certify nginx and slapd; their old certificates stay valid until they end."""
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
    hosts = host_names(site, context.settings("gateway", GatewaySettings))
    ceremony.issue_server(authority, label="nginx", hosts=hosts, folder=site.folder("nginx"))
    ldap = [site.host("ldap"), "127.0.0.1"]
    ceremony.issue_server(authority, label="slapd", hosts=ldap, folder=site.folder("slapd"))
    ceremony.deliver_outbox(store, recorder)
    database.close()


def application(context: Context) -> Flask:
    """The running role: public facts, the peer API, the desk and its side door."""
    site = context.site
    settings = context.settings("ca", CASettings)
    store = Store(context.database("ca"))
    recorder = context.recorder("ca")
    directory = context.directory("ca")
    relay = Relay(store, recorder, lock=site.folder("ca") / "relay.lock")
    authority = open_authority(
        site=site,
        settings=settings,
        store=store,
        recorder=recorder,
        clock=context.clock,
        directory=directory,
        nudge=relay.nudge,
    )
    relay.start()
    Housekeeping(authority, issuers=ISSUERS).start()
    guard = context.guard("ca", audience=site.host("ca"), callers=web.CALLERS)
    door = web.side_door(
        authority,
        guard,
        directory=directory,
        verifier=CertificateVerifier.load(site.public),
        pairs=context.pairs("ca", ["nginx"]),
        recorder=recorder,
        clock=context.clock,
    )
    return context.flask(
        "ca",
        guard=guard,
        blueprints=[
            web.public(authority, guard),
            web.api(authority, guard),
            web.desk(authority, guard, directory=directory),
            door,
        ],
        translations=[Path(web.__file__).parents[1] / "translations"],
        ready=authority.check,
    )
