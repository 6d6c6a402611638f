# SPDX-License-Identifier: Apache-2.0
"""Revocation lists: public facts, made from what is stored and recorded nowhere.

Shard 0 is the whole list of an issuer, for whoever wants one and for certificates of before there were shards.

A full list is made anew at half its life, and when something changed; a large one not more often than once in a while,
since its delta tells the change at once. What lint objects to is not published.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.clock import Clock
from core.log import logger

from ..config import CASettings
from ..errors import IssuerUnusable, LintStopped, NoSuchIssuer
from ..hierarchy import certificate_path, root_list_path
from ..models import ROOT, AuthorityName, read_authority
from ..signer import Signer
from ..store import KeptList, Store
from ..x509 import list_path
from ..x509.lint import Linter
from ..x509.lists import ListDraft
from ..x509.signing import algorithm_identifier, framed

_log = logger(__name__)

LARGE = 2 * 1024 * 1024
"""Bytes of a list that is not made anew for every change; about fifty thousand entries."""

PAUSE = timedelta(minutes=1)
"""How long a large list rests; one of a shard that lacks the last minute's changes has a delta that holds them."""

_TRIES = 50
_WAIT = 0.1
_NO_SIGNATURE = b"\0" * 8


@dataclass(frozen=True, kw_only=True)
class Published:
    """A list as anybody may have it."""

    der: bytes
    made: datetime
    until: datetime


class Publication:
    """What anybody may fetch."""

    def __init__(
        self,
        *,
        store: Store,
        signer: Signer,
        clock: Clock,
        issuers: Mapping[str, x509.Certificate],
        settings: CASettings,
        public: Path,
        origin: str,
        ready: Callable[[], None],
    ) -> None:
        self._store = store
        self._signer = signer
        self._linter = Linter(signer.seal)
        self._clock = clock
        self._issuers = dict(issuers)
        self._settings = settings
        self._public = public
        self._origin = origin
        self._ready = ready
        self._widest: dict[str, int] = {}

    def know(self, issuers: Mapping[str, x509.Certificate]) -> None:
        """Publish for these from now on."""
        self._issuers = dict(issuers)

    def authority(self, issuer: str) -> bytes:
        """The own certificate of an issuer or the root, DER.

        Raises:
            NoSuchIssuer: there is none.
        """
        root = _root(issuer)
        if root:
            pem = _read(certificate_path(self._public, root))
            return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
        return self._issuer(issuer).public_bytes(Encoding.DER)

    def shards(self, issuer: str) -> range:
        """The numbers of an issuer's lists; those of earlier settings stay."""
        widest = self._widest.get(issuer)
        if widest is None:
            widest = self._widest[issuer] = max(self._settings.crl_shards, self._store.widest_shard(issuer))
        return range(widest + 1)

    def crl(self, issuer: str, shard: int = 0, *, delta: bool = False) -> Published:
        """The present list: the stored one, or a new one if it is due.

        A root's is what the last ceremony left. While another process makes a list, the one before is given out.

        Raises:
            NoSuchIssuer: there is no such issuer or list.
            NotReconciled: a new one may lack what the record knows to be revoked.
            IssuerUnusable: other processes keep publishing first; or a new one broke a rule of lint, and the old one,
                which is given out as long as it lasts, has ended.
        """
        root = _root(issuer)
        if root:
            return self._of_root(root, shard, delta=delta)
        self._issuer(issuer)
        if shard not in self.shards(issuer) or (delta and not self.has_delta(shard)):
            raise NoSuchIssuer
        holder = secrets.token_hex(8)
        for _ in range(_TRIES):
            kept, revision = self._store.newest_list(issuer, shard, delta=delta)
            now = self._clock.now()
            if kept and not self._due(kept, revision, now):
                return _published(kept)
            self._ready()
            if not self._store.lease(issuer, shard, holder=holder, at=now):
                if kept and now < kept.until:
                    return _published(kept)
                threading.Event().wait(_WAIT)
                continue
            try:
                made = self._make(issuer, shard, delta=delta)
            except LintStopped as error:
                _log.error("list_lint_stopped", issuer=issuer, shard=shard, finding=error.parameters["finding"])
                if kept and now < kept.until:
                    return _published(kept)
                raise IssuerUnusable from error
            finally:
                self._store.give_back(issuer, shard, holder=holder)
            if made:
                return _published(made)
        raise IssuerUnusable

    def has_delta(self, shard: int) -> bool:
        """Whether a list has a delta: every shard's, and the whole one's where the settings say so."""
        return bool(shard) or self._settings.whole_deltas

    def _due(self, kept: KeptList, revision: int, now: datetime) -> bool:
        if now >= kept.made + (kept.until - kept.made) / 2:
            return True
        if kept.revision == revision:
            return False
        return kept.base is not None or len(kept.der) < LARGE or now >= kept.made + PAUSE

    def _make(self, issuer: str, shard: int, *, delta: bool) -> KeptList | None:
        now = self._clock.now()
        life = self._settings.crl_lifetime
        certificate = self._issuers[issuer]
        bases = self._store.bases(issuer, shard, at=now)
        base: int | None = None
        parts: Mapping[int, int] = {}
        if delta:
            # Whoever holds a full list that has not ended, however old, can go on from it.
            if bases.oldest is None:
                self._make(issuer, shard, delta=False)
                bases = self._store.bases(issuer, shard, at=now)
            base, since = bases.oldest or (0, 0)
            if shard:
                entries, revision = self._store.changes(issuer, shard, since=since)
            else:
                entries, revision = self._store.changes_in_all(issuer, since=bases.parts)
            life = self._settings.delta_lifetime
        else:
            # Before the entries: a change that slips between the two stands in the delta as well.
            parts = {} if shard else self._store.revisions(issuer)
            # Two periods of looking back: a revocation is on a list at least once even if the certificate expires.
            entries, revision = self._store.entries(issuer, shard, alive_after=now - 2 * life)
        draft = ListDraft(
            issuer=certificate,
            # Rises even where the tables are a restored copy that knows an older number (RFC 5280 section 5.2.3).
            number=max(bases.number + 1, int(now.timestamp())),
            at=now.replace(microsecond=0),
            until=min(now + life, certificate.not_valid_after_utc).replace(microsecond=0),
            entries=entries,
            # The whole list has no limits to tell of.
            point=self._origin + list_path(issuer, shard) if shard else "",
            base=base,
            freshest=self._origin + list_path(issuer, shard, delta=True) if self.has_delta(shard) and not delta else "",
        )
        self._demand_clean(draft)
        der = self._signer.crl(draft, issuer=issuer)
        made = KeptList(
            number=draft.number,
            revision=revision,
            made=draft.at,
            until=draft.until,
            der=der,
            base=base,
            parts=parts,
        )
        forget = now - self._settings.crl_lifetime
        return made if self._store.keep_list(issuer, shard, made, forget_before=forget) else None

    def _demand_clean(self, draft: ListDraft) -> None:
        """Lint everything but the signature, with one entry of each shape.

        Raises:
            LintStopped: a rule is broken; no key was touched.
        """
        algorithm = algorithm_identifier(draft.issuer.public_key())
        unsigned = framed(draft.sample().tbs(algorithm), algorithm, _NO_SIGNATURE)
        findings = self._linter.list_findings(unsigned)
        if findings:
            raise LintStopped(finding=findings[0][0])

    def _of_root(self, root: AuthorityName, shard: int, *, delta: bool) -> Published:
        if shard or delta:
            raise NoSuchIssuer
        found = _read(root_list_path(self._public, root))
        crl = x509.load_der_x509_crl(found)
        made = crl.last_update_utc
        return Published(der=found, made=made, until=crl.next_update_utc or made)

    def _issuer(self, name: str) -> x509.Certificate:
        found = self._issuers.get(name)
        if found is None:
            raise NoSuchIssuer
        return found


def _root(name: str) -> AuthorityName | None:
    found = read_authority(name)
    return found if found and found.kind == ROOT else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NoSuchIssuer from error


def _published(kept: KeptList) -> Published:
    return Published(der=kept.der, made=kept.made, until=kept.until)
