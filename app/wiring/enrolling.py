# SPDX-License-Identifier: Apache-2.0
"""Composes what devices and servers enrol by: ACME and EST over the authority's own tables."""

from audit import Recorder
from audit.relay import Relay
from ca import CASettings, CertificateVerifier
from ca.acme import Acme
from ca.acme.gate import PREFIX
from ca.acme.store import Store as AcmeStore
from ca.est import Est
from ca.est.store import Store as EstStore
from ca.est.waiting import Decision, Queue, Said
from ca.registration import Registration
from ca.registration.models import Stage
from ca.service import (
    CertificateAuthority,
    DirectorySource,
    KeyDelivery,
)
from ca.store import Store
from core.db import Database
from core.site import SiteSettings
from gateway.config import LISTENERS

from ..context import Context


def acme(
    context: Context,
    database: Database,
    store: Store,
    authority: CertificateAuthority,
    *,
    directory: DirectorySource,
    recorder: Recorder,
    relay: Relay,
) -> Acme:
    """ACME over the authority's own tables."""
    site = context.site
    return Acme(
        store=AcmeStore(database),
        certificates=store,
        authority=authority,
        directory=directory,
        recorder=recorder,
        clock=context.clock,
        settings=context.settings("ca", CASettings).acme,
        key=context.kept_key("ca", "acme.key"),
        origins=[site.origin(PREFIX.strip("/"), listener) for listener in LISTENERS],
        public=site.public,
        nudge=relay.nudge,
    )


def est(
    context: Context,
    database: Database,
    store: Store,
    authority: CertificateAuthority,
    *,
    queue: Queue,
    directory: DirectorySource,
    recorder: Recorder,
    relay: Relay,
) -> Est:
    """EST over the authority's own tables."""
    settings = context.settings("ca", CASettings)
    return Est(
        store=EstStore(database),
        certificates=store,
        authority=authority,
        verifier=CertificateVerifier.load(context.site.public),
        directory=directory,
        recorder=recorder,
        clock=context.clock,
        settings=settings.est,
        country=settings.country,
        key=context.kept_key("ca", "est.key"),
        public=context.site.public,
        delivery=KeyDelivery(
            authority=authority,
            store=store,
            clock=context.clock,
            path=context.site.folder("ca") / "est-keys.pem",
            host=context.site.host("est"),
        ),
        queue=queue,
        nudge=relay.nudge,
    )


def est_origins(site: SiteSettings) -> list[str]:
    """Where devices reach EST, at each listener."""
    return [site.origin("est", listener) for listener in LISTENERS]


class Waiting:
    """Devices' requests before the officers at the desk."""

    def __init__(self, registration: Registration) -> None:
        self._registration = registration

    def ask(self, *, device: str, profile: str, csr: bytes, reference: str) -> Decision:
        """How a request stands; see `ca.est.waiting.Queue`."""
        asked = self._registration.ask_as_device(device=device, profile=profile, csr=csr, reference=reference)
        if asked.stage is Stage.ISSUED:
            return Decision(said=Said.YES, serial=asked.serial)
        if asked.stage is Stage.DENIED:
            return Decision(said=Said.NO, reason=asked.reason)
        return Decision(said=Said.NOTHING_YET)
