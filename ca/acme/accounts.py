# SPDX-License-Identifier: Apache-2.0
"""Accounts: bound by a grant, changed by their key, ended by themselves (RFC 8555 section 7.3)."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from audit import Outcome, Recorder
from core.clock import Clock
from core.errors import Conflict, NotFound

from ..config import AcmeSettings
from .gate import PREFIX, Gate
from .grants import Grants
from .jws import AccountKey, Request, read_binding, read_inner, read_key
from .limits import Limits
from .models import Account, AccountState, Grant, GrantState
from .notes import about_account, note, outcome_of
from .problems import Problem, Type
from .store import Bound, Store

_MOST_CONTACTS = 10
_LONGEST_CONTACT = 200
_CONFLICT = 409


class Accounts:
    """The verbs of account holders."""

    def __init__(
        self,
        *,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        settings: AcmeSettings,
        gate: Gate,
        grants: Grants,
        limits: Limits,
        nudge: Callable[[], None],
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._settings = settings
        self._gate = gate
        self._grants = grants
        self._limits = limits
        self._nudge = nudge

    def create(self, key: AccountKey, wish: Mapping[str, Any], *, url: str, address: str) -> Bound:
        """A new account, or the one that has this key.

        Raises:
            Problem: it is not valid, or nothing binds it to anybody.
            RecordUnavailable: nothing was created.
        """
        existing = self._store.accounts.by_thumbprint(key.thumbprint)
        if existing is not None:
            if existing.state is not AccountState.VALID:
                raise Problem(Type.UNAUTHORIZED, f"the account of this key is {existing.state.value}")
            return Bound(existing, new=False)
        if wish.get("onlyReturnExisting") is True:
            raise Problem(Type.ACCOUNT_DOES_NOT_EXIST, "there is no account with this key")
        if self._settings.terms and wish.get("termsOfServiceAgreed") is not True:
            raise Problem(Type.USER_ACTION_REQUIRED, "agree to the terms of service first", status=403)
        contacts = _contacts(wish)
        if "externalAccountBinding" not in wish:
            raise Problem(Type.EXTERNAL_ACCOUNT_REQUIRED, "ask the registration desk for a key to bind the account")
        self._limits.new_account(address)
        grant = self._binding(wish["externalAccountBinding"], key, url=url)
        account = Account(
            id=secrets.token_hex(12),
            state=AccountState.VALID,
            jwk=key.jwk,
            thumbprint=key.thumbprint,
            contacts=contacts,
            created=self._clock.now(),
            grant=grant,
        )
        intent = about_account("ca.acme.account.created", Outcome.INTENDED, account, at=account.created)
        self._recorder.record(intent)
        bound = self._store.accounts.bind(account, outcome_of(intent), at=account.created)
        self._nudge()
        if bound is None:
            raise _spent()
        return bound

    def update(self, account: Account, wish: Mapping[str, Any]) -> Account:
        """Replace contacts, or deactivate.

        Raises:
            Problem: something else was asked.
            RecordUnavailable: nothing was changed.
        """
        if wish.get("status") == AccountState.DEACTIVATED:
            event = about_account("ca.acme.account.deactivated", Outcome.SUCCESS, account, at=self._clock.now())
            self._store.accounts.deactivate(account.id, note(event))
            self._nudge()
            return replace(account, state=AccountState.DEACTIVATED)
        if "status" in wish:
            raise Problem(Type.MALFORMED, "an account can only be deactivated")
        if "contact" in wish:
            contacts = _contacts(wish)
            done = self._announce(account, "contact")
            self._store.accounts.set_contacts(account.id, contacts, done)
            self._nudge()
            return replace(account, contacts=contacts)
        return account

    def change_key(self, account: Account, asked: Request) -> None:
        """Give the account a new key (RFC 8555 section 7.3.5).

        Raises:
            Problem: the new key does not agree, or is in use.
            RecordUnavailable: nothing was changed.
        """
        inner = read_inner(asked.document())
        new = inner.jwk
        if new is None or inner.url != asked.url:
            raise Problem(Type.MALFORMED, "the inner request was signed for another address")
        inner.verify(new)
        said = inner.document()
        if said.get("account") != asked.kid:
            raise Problem(Type.MALFORMED, "the inner request names another account")
        if read_key(said.get("oldKey")).thumbprint != account.thumbprint:
            raise Problem(Type.MALFORMED, "the inner request names another old key")
        self._demand_free(self._store.accounts.by_thumbprint(new.thumbprint))
        done = self._announce(account, "key")
        taken = self._store.accounts.set_key(
            account.id, old=account.thumbprint, jwk=new.jwk, thumbprint=new.thumbprint, note=done
        )
        self._nudge()
        self._demand_free(taken)

    def _demand_free(self, taken: Account | None) -> None:
        if taken is not None:
            where = f"{PREFIX}/account/{taken.id}"
            raise Problem(Type.MALFORMED, "this key has an account already", status=_CONFLICT, location=where)

    def _announce(self, account: Account, what: str) -> Any:
        at = self._clock.now()
        intent = about_account("ca.acme.account.changed", Outcome.INTENDED, account, at=at, attributes={"what": what})
        self._recorder.record(intent)
        return outcome_of(intent)

    def _binding(self, unverified: object, key: AccountKey, *, url: str) -> Grant:
        binding = read_binding(unverified)
        if binding.url != url:
            raise Problem(Type.MALFORMED, "the external account binding is for another address")
        if read_key(binding.document()).thumbprint != key.thumbprint:
            raise Problem(Type.MALFORMED, "the external account binding is for another key")
        # Known or not, the code is compared: nobody learns which identifiers exist.
        binding.verify_mac(self._grants.secret(binding.kid))
        grant = self._store.accounts.granted(binding.kid)
        if grant is None or grant.state is not GrantState.OPEN or grant.expires <= self._clock.now():
            raise _spent()
        try:
            self._grants.check_subject(grant.holder, grant.subject)
        except (Conflict, NotFound) as error:
            raise Problem(Type.UNAUTHORIZED, "the directory knows no enabled subject of this binding") from error
        return grant


def _spent() -> Problem:
    return Problem(Type.UNAUTHORIZED, "the key of the external account binding was used, withdrawn or is too old")


def _contacts(wish: Mapping[str, Any]) -> tuple[str, ...]:
    found = wish.get("contact", [])
    if not isinstance(found, list) or len(found) > _MOST_CONTACTS:
        raise Problem(Type.INVALID_CONTACT, "contact is a short list of addresses")
    for each in found:
        if not isinstance(each, str) or len(each) > _LONGEST_CONTACT or not each.isascii() or not each.isprintable():
            raise Problem(Type.INVALID_CONTACT, "a contact cannot be read")
        if not each.startswith("mailto:"):
            raise Problem(Type.UNSUPPORTED_CONTACT, "only mailto addresses are kept")
        mailbox = each.removeprefix("mailto:")
        if mailbox.count("@") != 1 or set(mailbox) & set("?,; ") or mailbox.startswith("@") or mailbox.endswith("@"):
            raise Problem(Type.INVALID_CONTACT, "a contact is one mailbox, without header fields")
    return tuple(found)
