# SPDX-License-Identifier: Apache-2.0
"""People and mishaps that nobody has to be found for: what the simulator answers with, chosen by name."""

from dataclasses import dataclass
from typing import Literal

from core.errors import N_

Later = Literal["", "disabled", "expired", "slow"]

AT_ADDRESS = (
    "access_denied",
    "login_required",
    "consent_required",
    "interaction_required",
    "account_selection_required",
    "unmet_authentication_requirements",
    "invalid_request",
    "unauthorized_client",
    "unsupported_response_type",
    "invalid_scope",
    "invalid_target",
    "invalid_authorization_details",
    "invalid_request_object",
    "invalid_request_uri",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "server_error",
    "temporarily_unavailable",
)
"""Errors that come back by the browser (RFC 6749 section 4.1.2.1 and what others registered)."""
AT_TOKEN = (
    "invalid_grant",
    "invalid_request",
    "invalid_client",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_dpop_proof",
    "temporarily_unavailable",
)
"""Errors of the token endpoint (RFC 6749 section 5.2 and what others registered)."""


@dataclass(frozen=True, kw_only=True)
class Invented:
    """Somebody who does not exist, and what befalls them."""

    key: str
    says: str
    name: str = "Invented Person"
    name_zh: str = "虚构人员"
    assurance: int = 1
    methods: tuple[str, ...] = ("pwd",)
    organisation: str = ""
    roles: frozenset[str] = frozenset({"citizen"})
    # As grants name it; empty if they act for themselves.
    mandate: str = ""
    # Instead of a code; and at the token endpoint, instead of tokens.
    error: str = ""
    token_error: str = ""
    later: Later = ""

    @property
    def subject(self) -> str:
        """No identifier of the directory looks so."""
        return f"simulated:{self.key}"

    @property
    def username(self) -> str:
        """What they are chosen by."""
        return self.key

    @property
    def mail(self) -> str:
        """Nobody is written to there (RFC 2606)."""
        return f"{self.key}@simulated.invalid"


_TWO = ("pwd", "otp", "mfa")
PEOPLE = {
    each.key: each
    for each in (
        Invented(key="level-1", says=N_("A citizen, logged in by password"), name="Li One", name_zh="李一"),
        Invented(
            key="level-2",
            says=N_("A citizen, logged in by password and one-time code"),
            name="Wang Two",
            name_zh="王二",
            assurance=2,
            methods=_TWO,
        ),
        Invented(
            key="level-3",
            says=N_("A citizen, logged in by card"),
            name="Zhang Three",
            name_zh="张三",
            assurance=3,
            methods=("sc",),
        ),
        Invented(
            key="civil-servant",
            says=N_("A civil servant of an invented office"),
            name="Zhao Four",
            name_zh="赵四",
            assurance=3,
            methods=("sc",),
            organisation="simulated-office",
            roles=frozenset({"civil-servant"}),
        ),
        Invented(
            key="mandate",
            says=N_("Somebody who acts for an invented company"),
            name="Qian Five",
            name_zh="钱五",
            assurance=2,
            methods=_TWO,
            mandate="organisation:simulated-company:all",
        ),
        Invented(key="refuses", says=N_("Somebody who says no to sharing anything"), error="access_denied"),
        Invented(
            key="disabled",
            says=N_("Somebody who is disabled as soon as tokens were issued: userinfo and refreshing fail"),
            assurance=2,
            methods=_TWO,
            later="disabled",
        ),
        Invented(key="expired", says=N_("A code that has expired before it is redeemed"), later="expired"),
        Invented(key="slow", says=N_("Tokens that take some seconds"), later="slow"),
    )
}


def chosen(key: str) -> Invented | None:
    """Whom a name stands for: one of ``PEOPLE``, ``error:CODE`` or ``token-error:CODE``."""
    kind, _, code = key.partition(":")
    if kind == "error" and code in AT_ADDRESS:
        return Invented(key=key, says=code, error=code)
    if kind == "token-error" and code in AT_TOKEN:
        return Invented(key=key, says=code, token_error=code)
    return PEOPLE.get(key)
