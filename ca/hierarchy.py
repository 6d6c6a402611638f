# SPDX-License-Identifier: Apache-2.0
"""The authorities of a site as its public folder shows them: roots, the issuing authorities below them, generations.

| file                             | what                                                                  |
| -------------------------------- | --------------------------------------------------------------------- |
| ``root.pem``, ``root-2.pem``     | a root, and its next generation                                       |
| ``root.crl``, ``root-2.crl``     | whom that root no longer vouches for                                  |
| ``issuers/people.pem``           | the first generation of an issuing authority                          |
| ``issuers/people-2.pem``         | its next one, beside it: certificates of both are believed            |
| ``ml-dsa/root-ml-dsa.pem`` ...   | the parallel hierarchy of ML-DSA keys, where no older software looks  |

What a certificate was signed by stays what tells of its status; new ones come from the newest generation.
``anchors.pem`` holds every root of classical keys, old and new, for whoever pins them as one file.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from core.log import logger

from .errors import KeyUnusable
from .models import ISSUERS, ROOT, AuthorityName, read_authority
from .x509 import Algorithm, Profile, algorithm_of, policy_oid
from .x509.algorithms import PublicKey

ML_DSA_FOLDER = "ml-dsa"

_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Root:
    """A root, and whom it took back."""

    name: AuthorityName
    certificate: x509.Certificate
    # Serials on its revocation list.
    withdrawn: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class IssuingAuthority:
    """One generation of an issuing authority."""

    name: AuthorityName
    certificate: x509.Certificate
    root: Root

    @property
    def withdrawn(self) -> bool:
        """Whether its root no longer vouches for it."""
        return self.certificate.serial_number in self.root.withdrawn

    def asserts(self, profile: Profile, oid_base: str) -> bool:
        """Whether it may vouch under the profile's policy (RFC 5280 section 6.1.3)."""
        return policy_oid(oid_base, profile) in policies_of(self.certificate)


class Hierarchy:
    """Everything above the certificates of a site; checked when it is read."""

    def __init__(self, roots: Iterable[Root], issuers: Iterable[IssuingAuthority]) -> None:
        self.roots: Mapping[str, Root] = {str(each.name): each for each in roots}
        self.issuers: Mapping[str, IssuingAuthority] = {
            str(each.name): each for each in sorted(issuers, key=lambda each: each.name)
        }

    @classmethod
    def load(cls, public: Path) -> Self:
        """Read a site's public folder.

        Raises:
            KeyUnusable: an authority of the first generation is missing, or one is not what its name and place say.
        """
        try:
            roots = [_root(path, name) for path, name in _named(public, ROOT)]
            issuers = [_issuer(path, name, roots) for path, name in _named(public, *ISSUERS)]
        except (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise KeyUnusable(path=str(public), why="not the certificates of one site") from error
        found = {str(each.name) for each in roots} | {str(each.name) for each in issuers}
        if not found >= {ROOT, *ISSUERS}:
            raise KeyUnusable(path=str(public), why="an authority is missing")
        return cls(roots, issuers)

    def generations(self, authority: str, *, ml_dsa: bool) -> list[IssuingAuthority]:
        """An authority's generations, the newest first."""
        found = [each for each in self.issuers.values() if (each.name.kind, each.name.ml_dsa) == (authority, ml_dsa)]
        return sorted(found, key=lambda each: -each.name.generation)

    def newest(self, authority: str, profile: Profile, *, oid_base: str, at: datetime, ml_dsa: bool) -> str:
        """The name of the generation that makes new certificates of a profile; empty if none can."""
        for each in self.generations(authority, ml_dsa=ml_dsa):
            inside = each.certificate.not_valid_before_utc <= at < each.certificate.not_valid_after_utc
            if inside and not each.withdrawn and each.asserts(profile, oid_base):
                return str(each.name)
        return ""


class PublicFolder:
    """A site's public folder, read again when a ceremony left something in it.

    What cannot be read as a whole changes nothing: then the authorities known before stay what is believed.
    """

    def __init__(self, public: Path) -> None:
        """Read it.

        Raises:
            KeyUnusable: as `Hierarchy.load`.
        """
        self._public = public
        self._known = self._files(), Hierarchy.load(public)

    def hierarchy(self) -> Hierarchy:
        """The authorities as they are now; the same object until something changes."""
        seen, hierarchy = self._known
        files = self._files()
        if files != seen:
            try:
                hierarchy = Hierarchy.load(self._public)
            except KeyUnusable as error:
                _log.error("authorities_unreadable", exc_info=error)
            self._known = files, hierarchy
        return hierarchy

    def issuers(self) -> Iterable[IssuingAuthority]:
        """Every issuing authority, as it is now."""
        return self.hierarchy().issuers.values()

    def _files(self) -> frozenset[tuple[str, int]]:
        """Files are put in their place whole, so that a new one has another number."""
        found = set()
        for folder in _folders(self._public):
            try:
                with os.scandir(folder) as entries:
                    found |= {(each.path, each.inode()) for each in entries if each.name.endswith((".pem", ".crl"))}
            except FileNotFoundError:
                continue
        return frozenset(found)


def anchors(public: Path) -> bytes:
    """Every root that software without ML-DSA should trust, PEM: the old and the new while both live."""
    found = [path for path, name in _named(public, ROOT) if not name.ml_dsa]
    return b"".join(path.read_bytes().strip() + b"\n" for path in found)


def certificate_path(public: Path, name: AuthorityName) -> Path:
    """Where an authority's certificate lies."""
    folder = public / ML_DSA_FOLDER if name.ml_dsa else public
    return (folder if name.kind == ROOT else folder / "issuers") / f"{name}.pem"


def root_list_path(public: Path, root: AuthorityName) -> Path:
    """Where a root's revocation list lies."""
    return certificate_path(public, root).with_suffix(".crl")


def withdrawn_by_root(path: Path, root: x509.Certificate) -> frozenset[int]:
    """Serials on the root's list. Its end is the operator's worry: a list past it still says whom not to believe.

    Raises:
        InvalidSignature: the root did not sign it.
    """
    if not path.exists():
        # A site that an older release founded has none.
        return frozenset()
    crl, key = x509.load_der_x509_crl(path.read_bytes()), root.public_key()
    if not isinstance(key, PublicKey) or not crl.is_signature_valid(key):
        raise InvalidSignature
    return frozenset(each.serial_number for each in crl)


def policies_of(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier]:
    """The policies that a certificate asserts; of one without any, none."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(each.policy_identifier for each in found)


def _named(public: Path, *kinds: str) -> list[tuple[Path, AuthorityName]]:
    """Files whose name is an authority's and which lie where that belongs."""
    found = []
    for folder in _folders(public):
        for path in sorted(folder.glob("*.pem")):
            name = read_authority(path.stem)
            if name is not None and name.kind in kinds and certificate_path(public, name) == path:
                found.append((path, name))
    return found


def _folders(public: Path) -> tuple[Path, ...]:
    return public, public / "issuers", public / ML_DSA_FOLDER, public / ML_DSA_FOLDER / "issuers"


def _root(path: Path, name: AuthorityName) -> Root:
    certificate = _read(path, name)
    certificate.verify_directly_issued_by(certificate)
    return Root(name=name, certificate=certificate, withdrawn=withdrawn_by_root(path.with_suffix(".crl"), certificate))


def _issuer(path: Path, name: AuthorityName, roots: list[Root]) -> IssuingAuthority:
    certificate = _read(path, name)
    for root in roots:
        if root.name.ml_dsa is name.ml_dsa and root.certificate.subject == certificate.issuer:
            certificate.verify_directly_issued_by(root.certificate)
            return IssuingAuthority(name=name, certificate=certificate, root=root)
    raise InvalidSignature


def _read(path: Path, name: AuthorityName) -> x509.Certificate:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if (algorithm_of(certificate.public_key()) is Algorithm.ML_DSA_65) is not name.ml_dsa:
        raise InvalidSignature
    return certificate
