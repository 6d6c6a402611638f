# SPDX-License-Identifier: Apache-2.0
"""What a verification starts from, read once for many documents: certificates we trust, and lists of revoked ones.

Nothing of a document ever enters here: every signature gets a registry of its own, and shares only what was parsed, and
what was found out about the same certificates before.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from datetime import datetime
from hashlib import sha256

from asn1crypto import crl, x509

from ..models import Trust
from ..proofs.certificates import Assessor, read_list
from ..proofs.remembered import Remembered
from .cms import certificates
from .paths import Context, Led

_MOST_REMEMBERED = 64


class Grounds:
    """The trust and the lists of one moment; verifications follow at any later one."""

    def __init__(self, trust: Trust, lists: Sequence[bytes]) -> None:
        readable = [der for der in lists if read_list(der) is not None]
        self._assessor = Assessor(trust, lists=readable)
        self._roots = _all(trust.roots)
        self._between = _all(trust.issuers.values())
        self._readable = readable
        self._lists = [crl.CertificateList.load(der) for der in readable]
        self._memory: Remembered[Led] | None = Remembered(_MOST_REMEMBERED)

    def knowing(self, said: Sequence[bytes]) -> "Grounds":
        """The same, and what issuers said when they were asked: lists and answers (OCSP), as they came."""
        more = [der for der in said if read_list(der) is not None]
        found = copy(self)
        found._assessor = self._assessor.knowing(said)  # noqa: SLF001 - its own copy
        found._readable = [*self._readable, *more]  # noqa: SLF001 - as above
        found._lists = [*self._lists, *map(crl.CertificateList.load, more)]  # noqa: SLF001 - as above
        # For one document only.
        found._memory = None  # noqa: SLF001 - as above
        return found

    @property
    def assessor(self) -> Assessor:
        """Our own opinion of certificates."""
        return self._assessor

    def context(self, at: datetime, *, past: bool = False, lists: Sequence[bytes] = ()) -> Context:
        """The library's, for one signature; ``lists`` came with the document.

        With ``past`` a time-stamp proves the moment ``at``, and what issuers said later counts for it too.
        """
        more = [der for der in lists if read_list(der) is not None]
        return Context(
            memory=self._memory,
            lists=[*self._readable, *more],
            key=(past, *(sha256(each).digest() for each in more)),
            trust_roots=self._roots,
            other_certs=self._between,
            crls=[*self._lists, *map(crl.CertificateList.load, more)],
            moment=at,
            allow_fetching=False,
            revocation_mode="soft-fail",
            retroactive_revinfo=past,
        )


def _all(texts: Iterable[str]) -> list[x509.Certificate]:
    return [found for text in texts for found in certificates(text.encode())]
