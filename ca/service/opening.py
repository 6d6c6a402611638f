# SPDX-License-Identifier: Apache-2.0
"""Open the authority of one site from its files; the role and the birth of a site do it the same way."""

from collections.abc import Callable, Sequence
from pathlib import Path

from audit import Recorder
from core.clock import Clock
from core.site import SiteSettings

from ..config import CASettings
from ..hierarchy import PublicFolder
from ..signer import KeyFolder
from ..store import Store
from ..x509.lint import Finding
from .authority import CertificateAuthority
from .blocking import read_blocklists
from .policy import IssuancePolicy
from .subjects import DirectorySource


def open_authority(
    *,
    site: SiteSettings,
    settings: CASettings,
    store: Store,
    recorder: Recorder,
    clock: Clock,
    directory: DirectorySource | None,
    policies: Sequence[IssuancePolicy] = (),
    nudge: Callable[[], None] = lambda: None,
    ready: Callable[[], None] = lambda: None,
    lint: Callable[[Sequence[bytes]], Sequence[Sequence[Finding]]] | None = None,
    codes: Callable[[str], str] = lambda _organisation: "",
) -> CertificateAuthority:
    """Read the issuers' certificates and compose the authority.

    Raises:
        KeyUnusable: an authority's certificate or a root's list cannot be read.
        ConfigurationError: a list of blocked keys cannot be read.
    """
    return CertificateAuthority(
        store=store,
        keys=KeyFolder(key_folder(site)),
        folder=PublicFolder(site.public),
        recorder=recorder,
        clock=clock,
        settings=settings,
        listed=read_blocklists(settings.blocklists),
        directory=directory,
        domain=site.domain,
        origin=site.origin("pki", "plain"),
        oid_base=site.oid_base,
        public=site.public,
        answers=answer_folder(site),
        policies=policies,
        nudge=nudge,
        ready=ready,
        lint=lint,
        codes=codes,
    )


def key_folder(site: SiteSettings) -> Path:
    """Where the issuing keys lie."""
    return site.folder("ca") / "keys"


def answer_folder(site: SiteSettings) -> Path:
    """Where OCSP answers lie for the proxy: beside the role's socket, where it alone may write."""
    return site.socket("ca").parent / "ocsp"
