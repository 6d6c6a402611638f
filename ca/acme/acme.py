# SPDX-License-Identifier: Apache-2.0
"""All of ACME in one place, composed from its crafts."""

from collections.abc import Callable, Collection
from pathlib import Path

from cryptography import x509

from audit import Recorder
from core.clock import Clock

from ..config import AcmeSettings
from ..service import CertificateAuthority, DirectorySource
from ..store import Store as AuthorityStore
from .accounts import Accounts
from .chains import chains, pool, written
from .finalizing import Finalizing
from .gate import Gate
from .grants import Grants
from .limits import Limits
from .models import Account
from .nonces import Nonces
from .orders import Orders
from .problems import Problem, Type
from .proving import Prover
from .renewal import Renewal
from .revocation import Revocation
from .store import Store
from .validation import Validation

_NOT_FOUND = 404


class Acme:
    """The verbs; every collaborator comes by keyword.

    ``key`` is the role's own secret. ``origins`` are the addresses under which the site's listeners offer ACME.
    """

    def __init__(
        self,
        *,
        store: Store,
        certificates: AuthorityStore,
        authority: CertificateAuthority,
        directory: DirectorySource,
        recorder: Recorder,
        clock: Clock,
        settings: AcmeSettings,
        key: bytes,
        origins: Collection[str],
        public: Path,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.origins = frozenset(origins)
        self._store = store
        self._authority = authority
        self._public = public
        self.nonces = Nonces(store=store, clock=clock, key=key, lifetime=settings.nonce_lifetime)
        self.gate = Gate(store=store, nonces=self.nonces, origins=origins)
        limits = Limits(store=store, clock=clock, settings=settings)
        self.grants = Grants(
            store=store,
            recorder=recorder,
            clock=clock,
            settings=settings,
            directory=directory,
            key=key,
            nudge=nudge,
        )
        self.accounts = Accounts(
            store=store,
            recorder=recorder,
            clock=clock,
            settings=settings,
            gate=self.gate,
            grants=self.grants,
            limits=limits,
            nudge=nudge,
        )
        self.finalizing = Finalizing(
            store=store,
            certificates=certificates,
            authority=authority,
            clock=clock,
            prover=Prover(settings),
            gate=self.gate,
            nudge=nudge,
        )
        self.validation = Validation(
            store=store,
            clock=clock,
            settings=settings,
            gate=self.gate,
            limits=limits,
            finalizing=self.finalizing,
            nudge=nudge,
        )
        self.renewal = Renewal(store=store, clock=clock, authority=authority)
        self.orders = Orders(
            store=store,
            clock=clock,
            settings=settings,
            limits=limits,
            renewal=self.renewal,
            nudge=nudge,
            look=self.validation.look,
        )
        self.revocation = Revocation(store=store, authority=authority, clock=clock)

    def chains(self, account: Account, serial: str) -> list[bytes]:
        """A certificate with each of its chains, PEM, the default first.

        Raises:
            Problem: this account has no such certificate.
        """
        order = self._store.orders.of_serial(serial)
        if order is None or order.account != account.id:
            raise Problem(Type.MALFORMED, "this account has no such certificate", status=_NOT_FOUND)
        leaf = x509.load_der_x509_certificate(self._authority.certificate(serial).der)
        return [written(leaf, chain) for chain in chains(leaf, pool(self._public))]
