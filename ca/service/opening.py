# SPDX-License-Identifier: Apache-2.0
"""Open the authority of one site from its files; the role and the birth of a site do it the same way."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509

from audit import Recorder
from core.clock import Clock
from core.site import SiteSettings

from ..config import CASettings
from ..errors import KeyUnusable
from ..models import ISSUERS
from ..signer import KeyFolder
from ..store import Store
from .authority import CertificateAuthority
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
) -> CertificateAuthority:
    """Read the issuers' certificates and compose the authority.

    Raises:
        KeyUnusable: an issuer's certificate cannot be read.
    """
    return CertificateAuthority(
        store=store,
        keys=KeyFolder(key_folder(site)),
        issuers={name: _issuer(site.public / "issuers" / f"{name}.pem") for name in ISSUERS},
        recorder=recorder,
        clock=clock,
        settings=settings,
        directory=directory,
        domain=site.domain,
        origin=site.origin("pki", "plain"),
        oid_base=site.oid_base,
        public=site.public,
        policies=policies,
        nudge=nudge,
    )


def key_folder(site: SiteSettings) -> Path:
    """Where the issuing keys lie."""
    return site.folder("ca") / "keys"


def _issuer(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyUnusable(path=str(path), why="no issuer's certificate") from error
