# SPDX-License-Identifier: Apache-2.0
"""Which certificates a verification starts from: the site's public folder, or files an agency was given.

Never the operating system's store: what a web browser trusts has no say about a city's documents.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.config import ConfigurationError

from ..models import Trust

_GENERATION = re.compile(r"(-ml-dsa)?(-[0-9]+)?$")

SIGNING = frozenset({"people", "organisations"})
"""The issuing authorities whose certificates may sign documents; devices and servers may not."""
STAMPING = "infrastructure"
"""The one whose certificates may stamp time."""


def of_site(public: Path) -> Trust:
    """The site's own roots and issuing authorities, of every generation and both hierarchies.

    Raises:
        ConfigurationError: the folder lacks them.
    """
    try:
        first = (public / "root.pem").read_text("ascii")
        later = [path.read_text("ascii") for path in (*_later(public), *_parallel(public))]
        roots = (first, *later)
        issuers = {path.stem: path.read_text("ascii") for path in _issuers(public)}
        for text in (*roots, *issuers.values()):
            x509.load_pem_x509_certificate(text.encode())
    except (OSError, ValueError) as error:
        raise ConfigurationError(where=str(public), why="no usable root and issuer certificates") from error
    if not set(issuers) >= SIGNING:
        raise ConfigurationError(where=str(public / "issuers"), why="an issuing authority is missing")
    # Later generations of an authority stand beside the first, and its twins of ML-DSA keys: "people-2" and
    # "people-ml-dsa" sign what "people" did.
    signing = frozenset(name for name in issuers if _GENERATION.sub("", name) in SIGNING)
    return Trust(roots=roots, issuers=issuers, signing=signing)


def stamping_too(trust: Trust) -> frozenset[str]:
    """Names of the site's issuing authorities that certify signers or time-stamping units; devices do neither."""
    return frozenset(name for name in trust.issuers if _GENERATION.sub("", name) in SIGNING | {STAMPING})


def files_of_site(public: Path) -> list[Path]:
    """The files that ``of_site`` reads: when one is replaced or comes, it would answer something else."""
    return [public / "root.pem", *_later(public), *_parallel(public), *_issuers(public)]


def _later(public: Path) -> list[Path]:
    return sorted(public.glob("root-[0-9]*.pem"))


def _parallel(public: Path) -> list[Path]:
    """The roots of the hierarchy of ML-DSA keys, where there is one."""
    return sorted((public / "ml-dsa").glob("root-ml-dsa*.pem"))


def _issuers(public: Path) -> list[Path]:
    return sorted([*(public / "issuers").glob("*.pem"), *(public / "ml-dsa" / "issuers").glob("*.pem")])


def of_files(paths: Iterable[Path]) -> Trust:
    """Certificates from PEM files: those that signed themselves are roots, the others only help to reach one.

    Raises:
        ConfigurationError: a file holds no certificate, or none of them is a root.
    """
    roots: list[str] = []
    issuers: dict[str, str] = {}
    for path in paths:
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigurationError(where=str(path), why="holds no certificate") from error
        for certificate in found:
            text = certificate.public_bytes(Encoding.PEM).decode()
            if certificate.issuer == certificate.subject:
                roots.append(text)
            else:
                issuers[f"{path.name}-{len(issuers)}"] = text
    if not roots:
        raise ConfigurationError(where="--trust", why="none of the certificates is a root")
    return Trust(roots=tuple(roots), issuers=issuers)
