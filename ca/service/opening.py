# SPDX-License-Identifier: Apache-2.0
"""Open the authority of one site from its files; the role and the birth of a site do it the same way."""

from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from audit import Recorder
from core.clock import Clock
from core.site import SiteSettings

from ..config import CASettings
from ..errors import KeyUnusable
from ..models import ISSUERS
from ..signer import KeyFolder
from ..store import Store
from ..verifier import withdrawn_by_root
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
    ready: Callable[[], None] = lambda: None,
) -> CertificateAuthority:
    """Read the issuers' certificates and compose the authority.

    Raises:
        KeyUnusable: an issuer's certificate or the root's list cannot be read.
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
        answers=answer_folder(site),
        withdrawn=_withdrawn(site.public),
        policies=policies,
        nudge=nudge,
        ready=ready,
    )


def key_folder(site: SiteSettings) -> Path:
    """Where the issuing keys lie."""
    return site.folder("ca") / "keys"


def answer_folder(site: SiteSettings) -> Path:
    """Where OCSP answers lie for the proxy: beside the role's socket, where it alone may write."""
    return site.socket("ca").parent / "ocsp"


def _issuer(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyUnusable(path=str(path), why="no issuer's certificate") from error


def _withdrawn(public: Path) -> frozenset[int]:
    root = public / "root.pem"
    try:
        return withdrawn_by_root(public, x509.load_pem_x509_certificate(root.read_bytes()))
    except (OSError, ValueError, InvalidSignature) as error:
        raise KeyUnusable(path=str(public), why="no revocation list of the root") from error
