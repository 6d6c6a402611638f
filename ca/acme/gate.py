# SPDX-License-Identifier: Apache-2.0
"""Who is asking: every request is read, bound to its address, to a nonce and to a key before anything of it counts."""

import json
from collections.abc import Collection
from typing import Any

from .jws import AccountKey, Request, read_key, read_request
from .models import Account, AccountState
from .nonces import Nonces
from .problems import Problem, Type
from .store import Store

PREFIX = "/acme"


class Gate:
    """Checks requests; ``origins`` are the addresses under which the site's listeners offer ACME."""

    def __init__(self, *, store: Store, nonces: Nonces, origins: Collection[str]) -> None:
        self._store = store
        self._nonces = nonces
        self._origins = tuple(origins)

    def with_key(self, unverified: bytes, *, url: str) -> tuple[AccountKey, Request]:
        """A request that brings its key.

        Raises:
            Problem: it is none, for another address, replayed or not signed by it.
        """
        asked = self._read(unverified, url)
        if asked.jwk is None:
            raise Problem(Type.MALFORMED, "this request brings its key, and names none by kid")
        self._admit(asked, asked.jwk)
        return asked.jwk, asked

    def with_account(self, unverified: bytes, *, url: str) -> tuple[Account, Request]:
        """A request by a valid account.

        Raises:
            Problem: it is none, for another address, replayed, not signed by it, or the account is not valid.
        """
        asked = self._read(unverified, url)
        if asked.jwk is not None:
            raise Problem(Type.MALFORMED, "this request names its account by kid, and brings no key")
        return self._of_account(asked), asked

    def with_either(self, unverified: bytes, *, url: str) -> tuple[Account | AccountKey, Request]:
        """A revocation: by an account, or by the key of the certificate."""
        asked = self._read(unverified, url)
        if asked.jwk is not None:
            self._admit(asked, asked.jwk)
            return asked.jwk, asked
        return self._of_account(asked), asked

    def account_id(self, kid: str) -> str:
        """The account that an address names; empty if none of ours."""
        for origin in self._origins:
            before = f"{origin}{PREFIX}/account/"
            if kid.startswith(before):
                return kid.removeprefix(before)
        return ""

    def addresses(self, account: str) -> list[str]:
        """Every address of an account."""
        return [f"{origin}{PREFIX}/account/{account}" for origin in self._origins]

    def _of_account(self, asked: Request) -> Account:
        account = self._store.accounts.account(self.account_id(asked.kid))
        if account is None:
            raise Problem(Type.ACCOUNT_DOES_NOT_EXIST, "there is no account at this address")
        self._admit(asked, key_of(account))
        if account.state is not AccountState.VALID:
            raise Problem(Type.UNAUTHORIZED, f"this account is {account.state.value}")
        return account

    def _read(self, unverified: bytes, url: str) -> Request:
        asked = read_request(unverified)
        if asked.url != url:
            raise Problem(Type.UNAUTHORIZED, "the request was signed for another address")
        self._nonces.check(asked.nonce)
        return asked

    def _admit(self, asked: Request, key: AccountKey) -> None:
        # Only who holds the key uses its nonce up.
        asked.verify(key)
        self._nonces.use(asked.nonce)


def key_of(account: Account) -> AccountKey:
    """The key of an account."""
    found: dict[str, Any] = json.loads(account.jwk)
    return read_key(found)
