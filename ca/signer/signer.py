# SPDX-License-Identifier: Apache-2.0
"""Three doors to the keys: a certificate for a lint token, a revocation list, an OCSP answer."""

import threading
from collections.abc import Mapping
from dataclasses import replace

from cryptography import x509

from ..errors import KeyUnusable, NoSuchIssuer
from ..x509 import SigningKey, algorithm_for
from ..x509.answers import AnswerDraft, successful
from ..x509.lint import LintedDraft, Seal
from ..x509.lists import ListDraft
from ..x509.signing import algorithm_identifier, framed
from .keys import KeyFolder, Responder
from .raw import signed


class Signer:
    """Holds the keys of the issuers it is given; the seal says which drafts were linted for it."""

    def __init__(self, *, keys: KeyFolder, issuers: Mapping[str, x509.Certificate]) -> None:
        self.seal = Seal()
        self._keys = keys
        self._issuers = dict(issuers)
        self._loaded: dict[str, SigningKey] = {}
        self._responders: dict[str, tuple[int, Responder]] = {}
        self._lock = threading.Lock()

    def know(self, issuers: Mapping[str, x509.Certificate]) -> None:
        """Sign for these from now on.

        Raises:
            KeyUnusable: the key of one that is new cannot be used; nothing changed.
        """
        for name in issuers.keys() - self._issuers.keys():
            self._check(self._keys.issuing(name), issuers[name], name)
        self._issuers = dict(issuers)

    def certificate(self, linted: LintedDraft, *, issuer: str) -> x509.Certificate:
        """Spend the token and sign.

        Raises:
            DraftSpent: the token is not good for this signer and issuer; the key was not touched.
            KeyUnusable: the key file cannot be used or belongs to another certificate.
        """
        key = self._issuing(issuer)
        self.seal.redeem(linted, issuer=issuer)
        return linted.draft.builder.sign(key, algorithm_for(key))

    def crl(self, draft: ListDraft, *, issuer: str) -> bytes:
        """Sign a revocation list; DER.

        Raises:
            NoSuchIssuer: the list is another's.
        """
        key = self._issuing(issuer)
        if draft.issuer != self._issuers[issuer]:
            raise NoSuchIssuer
        algorithm = algorithm_identifier(key.public_key())
        tbs = draft.tbs(algorithm)
        return framed(tbs, algorithm, signed(key, tbs))

    def answer(self, draft: AnswerDraft, *, issuer: str) -> bytes:
        """Sign an OCSP answer with the issuer's delegate, whom it names; DER."""
        responder = self.responder(issuer)
        if draft.responder != responder.certificate:
            draft = replace(draft, responder=responder.certificate)
        tbs = draft.tbs()
        signature = signed(responder.key, tbs)
        return successful(tbs, algorithm_identifier(responder.key.public_key()), signature, responder.certificate)

    def responder(self, issuer: str) -> Responder:
        """The issuer's present OCSP delegate; re-read when its file was replaced.

        Raises:
            KeyUnusable: there is none.
        """
        path = self._keys.responder_path(issuer)
        try:
            stamp = path.stat().st_mtime_ns
        except OSError as error:
            raise KeyUnusable(path=str(path), why=error.strerror or "unreadable") from error
        with self._lock:
            known = self._responders.get(issuer)
            if known is None or known[0] != stamp:
                known = (stamp, self._keys.responder(issuer))
                self._responders[issuer] = known
            return known[1]

    def _issuing(self, issuer: str) -> SigningKey:
        if issuer not in self._issuers:
            raise NoSuchIssuer
        with self._lock:
            if issuer not in self._loaded:
                key = self._keys.issuing(issuer)
                self._check(key, self._issuers[issuer], issuer)
                self._loaded[issuer] = key
            return self._loaded[issuer]

    @staticmethod
    def _check(key: SigningKey, certificate: x509.Certificate, name: str) -> None:
        if key.public_key() != certificate.public_key():
            raise KeyUnusable(path=name, why="the key belongs to another certificate")
