# SPDX-License-Identifier: Apache-2.0
"""Keys that nobody shall have a certificate for: asked at each issuance, and of everything that was ever issued."""

from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography import x509

from audit import Outcome
from core.clock import Clock
from core.config import ConfigurationError
from core.errors import N_

from ..errors import KeyRefused
from ..store import Store
from ..x509 import Blocklist, CertificateRequest, read_blocklist
from .notes import event, note


class Blocking:
    """The site's lists, and the verb that blocks one key."""

    def __init__(self, *, store: Store, clock: Clock, listed: Blocklist, nudge: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._listed = listed
        self._nudge = nudge

    def check(self, asked: CertificateRequest) -> None:
        """Ask the lists.

        Raises:
            KeyRefused: the key is on one.
        """
        if self._listed.knows(asked.key, asked.key_hash):
            raise KeyRefused(why=N_("this key is known to be compromised"))

    def block(self, key_hash: str, *, actor: str, listed: bool = False) -> bool:
        """Block one key, by the SHA-256 of its subjectPublicKeyInfo; what was made for it waits for the sweep.

        Returns whether it was not blocked before.
        """
        told = event(
            "ca.key.blocked",
            Outcome.SUCCESS,
            at=self._clock.now(),
            actor=actor,
            attributes={"key": key_hash, "listed": listed},
        )
        fresh = self._store.block_key(key_hash, at=self._clock.now(), note=note(told))
        if fresh:
            self._nudge()
        return fresh

    def block_listed(self) -> int:
        """Block every listed key that something was certified for, which a newer list may name; returns how many."""
        found = set(self._store.certified([each.hex() for each in self._listed.keys]))
        if self._listed.moduli:
            found |= self._by_modulus()
        return sum(self.block(each, actor="role:ca", listed=True) for each in sorted(found))

    def _by_modulus(self) -> set[str]:
        found: set[str] = set()
        after, at = 0, self._clock.now()
        while some := self._store.alive(after=after, at=at):
            for each in some:
                key = x509.load_der_x509_certificate(each.der).public_key()
                if self._listed.knows(key, each.key_hash):
                    found.add(each.key_hash)
            after = some[-1].position
        return found


def read_blocklists(paths: Iterable[Path]) -> Blocklist:
    """All lists of a site.

    Raises:
        ConfigurationError: one cannot be read; without it nothing shall be issued.
    """
    found = Blocklist()
    for path in paths:
        try:
            with path.open(encoding="ascii") as lines:
                found |= read_blocklist(lines, name=path.name)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(where=str(path), why="no list of blocked keys can be read here") from error
    return found
