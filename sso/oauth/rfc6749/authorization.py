# SPDX-License-Identifier: Apache-2.0
"""The authorization request as a chain of small checks; the security review of the endpoint is reading two tuples.

``drafted`` settles who asks and where the answer goes; until it has returned, nothing may be redirected. ``validated``
runs ``CHECKS``: what fails there is told to the client at its registered address.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...errors import (
    BadRequest,
    Redirectable,
    ScopeRefused,
    UnsupportedResponseType,
)
from ...models import AuthorizationRequest, Client, ResponseMode
from ..openid.wanted import wanted_of, without
from ..rfc7636 import challenge_is_well_formed
from ..rfc8707 import check_resources
from ..rfc9396 import details_of
from .addresses import is_registered
from .scopes import SCOPES

Parameters = Mapping[str, Sequence[str]]

_LONGEST = 2000
# Values OpenID Connect Core 3.1.2.1 defines.
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_LEVELS = frozenset({"1", "2", "3"})
_MODES: dict[str, ResponseMode] = {
    "query": "query",
    "form_post": "form_post",
    "jwt": "query.jwt",
    "query.jwt": "query.jwt",
    "form_post.jwt": "form_post.jwt",
}
_LONGEST_HINT = 100
_LONGEST_ACTING = 200
_MAX_AGE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A request whose client and return address are certain, and nothing else."""

    client: Client
    redirect_uri: str
    state: str
    mode: ResponseMode
    unverified: Parameters
    # It was brought by the client itself, authenticated (RFC 9126).
    pushed: bool = False
    # It came in an object under the client's signature (RFC 9101).
    signed: bool = False
    # Such an object came and counts for nothing; told to the client, for its address beside it is certain.
    error: Redirectable | None = None

    def one(self, name: str) -> str:
        """A parameter; empty if absent."""
        return next(iter(self.unverified.get(name, ())), "")


def drafted(parameters: Parameters, find: Callable[[str], Client | None]) -> Draft:
    """Settle client and return address.

    Raises:
        BadRequest: they are not certain; the answer must be a page.
    """
    client_id = single(parameters, "client_id")
    client = find(client_id)
    if client is None or "authorization_code" not in client.grants:
        raise BadRequest(why="client_id")
    uri = single(parameters, "redirect_uri")
    if not is_registered(uri, client.redirect_uris):
        raise BadRequest(why="redirect_uri")
    states = parameters.get("state", ())
    modes = parameters.get("response_mode", ())
    return Draft(
        client=client,
        redirect_uri=uri,
        # A state that could not be echoed faithfully is not echoed at all; CHECKS then refuses the request.
        state=states[0] if len(states) == 1 and _readable(states[0]) else "",
        mode=_mode(modes),
        unverified=parameters,
    )


def _mode(modes: Sequence[str]) -> ResponseMode:
    if len(modes) != 1:
        return "query"
    return _MODES.get(modes[0], "query")


def validated(draft: Draft) -> AuthorizationRequest:
    """Run every check in order.

    Raises:
        Redirectable: the first that fails.
    """
    for check in CHECKS:
        check(draft)
    scopes = frozenset(draft.one("scope").split())
    levels = [int(level) for level in draft.one("acr_values").split() if level in _LEVELS]
    wanted = wanted_of(draft.one("claims"))
    return AuthorizationRequest(
        client_id=draft.client.id,
        redirect_uri=draft.redirect_uri,
        scopes=scopes,
        state=draft.state,
        nonce=draft.one("nonce"),
        challenge=draft.one("code_challenge"),
        mode=draft.mode,
        prompts=frozenset(draft.one("prompt").split()),
        max_age=int(draft.one("max_age")) if draft.one("max_age") else None,
        assurance=max(min(levels, default=0), wanted.assurance),
        resources=frozenset(draft.unverified.get("resource", ())),
        details=details_of(draft.one("authorization_details"), draft.client),
        jkt=draft.one("dpop_jkt"),
        # Claims of scopes that the client is not registered for are not there to be had (Core 5.5).
        claims=without(wanted.claims, SCOPES.keys() - draft.client.scopes),
        subject=wanted.subject,
        hint=draft.one("login_hint")[:_LONGEST_HINT],
        locale=_locale(draft.one("ui_locales")),
        acting=draft.one("acting")[:_LONGEST_ACTING],
    )


def check_parameters_once(draft: Draft) -> None:
    """RFC 6749 section 3.1: no parameter more than once, none we could not read back to the client."""
    for name, values in draft.unverified.items():
        if len(values) != 1 and name != "resource":
            raise Redirectable(why="a parameter is given twice")
        if not all(_readable(value) for value in values):
            raise Redirectable(why=f"{name} cannot be read" if name in _KNOWN else "a parameter cannot be read")


def check_request_object(draft: Draft) -> None:
    """RFC 9101 section 6: what came signed is right."""
    if draft.error is not None:
        raise draft.error


def check_required(draft: Draft) -> None:
    """What the client's registration asks of every request: pushed, signed, answered signed."""
    needs = draft.client.requires
    if "par" in needs and not draft.pushed:
        raise Redirectable(why="this client's requests must be pushed")
    if "signed_request" in needs and not draft.signed:
        raise Redirectable(why="this client's requests must be signed")
    if "signed_response" in needs and not draft.mode.endswith(".jwt"):
        raise Redirectable(why="this client's answers must be signed")


def check_response_type(draft: Draft) -> None:
    """RFC 9700 section 2.1.2: only the code grant."""
    if not draft.one("response_type"):
        raise Redirectable(why="response_type is missing")
    if draft.one("response_type") != "code":
        raise UnsupportedResponseType(why="response_type")


def check_response_mode(draft: Draft) -> None:
    """OAuth 2.0 Multiple Response Types, Form Post and JARM: nothing is ever put into a fragment."""
    if draft.one("response_mode") not in ("", *_MODES):
        raise Redirectable(why="response_mode")


def check_scope(draft: Draft) -> None:
    """RFC 6749 section 3.3; OpenID Connect needs ``openid``."""
    wanted = set(draft.one("scope").split())
    if "openid" not in wanted:
        raise ScopeRefused(why="scope must contain openid")
    if not wanted <= draft.client.scopes or not wanted <= SCOPES.keys():
        raise ScopeRefused(why="scope is not registered for this client")


def check_pkce(draft: Draft) -> None:
    """RFC 9700 section 2.1.1: S256 is required of everybody; an absent method would mean plain (RFC 7636 4.3)."""
    if draft.one("code_challenge_method") != "S256":
        raise Redirectable(why="code_challenge_method must be S256")
    if not challenge_is_well_formed(draft.one("code_challenge")):
        raise Redirectable(why="code_challenge")


def check_prompt(draft: Draft) -> None:
    """OpenID Connect Core 3.1.2.1: known values, and ``none`` alone."""
    prompts = draft.one("prompt").split()
    if not set(prompts) <= _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise Redirectable(why="prompt")


def check_max_age(draft: Draft) -> None:
    """OpenID Connect Core 3.1.2.1: seconds."""
    if draft.one("max_age") and not _MAX_AGE.fullmatch(draft.one("max_age")):
        raise Redirectable(why="max_age")


def check_claims(draft: Draft) -> None:
    """OpenID Connect Core 5.5: single claims."""
    wanted_of(draft.one("claims"))


def check_resource(draft: Draft) -> None:
    """RFC 8707 section 2: for whom the tokens shall be."""
    check_resources(draft.unverified.get("resource", ()), draft.client)


def check_details(draft: Draft) -> None:
    """RFC 9396 section 5: authorization details of a registered type, in members everybody understands."""
    details_of(draft.one("authorization_details"), draft.client)


def check_key(draft: Draft) -> None:
    """RFC 9449 section 10: the thumbprint of a key."""
    if draft.one("dpop_jkt") and not challenge_is_well_formed(draft.one("dpop_jkt")):
        raise Redirectable(why="dpop_jkt")


CHECKS: tuple[Callable[[Draft], None], ...] = (
    check_request_object,
    check_parameters_once,
    check_required,
    check_response_type,
    check_response_mode,
    check_scope,
    check_pkce,
    check_prompt,
    check_max_age,
    check_claims,
    check_resource,
    check_details,
    check_key,
)

_KNOWN = frozenset({"state", "nonce", "scope", "prompt", "max_age", "acr_values", "code_challenge"})


def single(parameters: Parameters, name: str) -> str:
    """A parameter without which nothing is certain.

    Raises:
        BadRequest: it is missing, given twice or cannot be read.
    """
    values = parameters.get(name, ())
    if len(values) != 1 or not values[0] or not _readable(values[0]):
        raise BadRequest(why=name)
    return values[0]


def _locale(wishes: str) -> str:
    """The first of the wished languages that there are pages in (BCP 47 tags, OpenID Connect Core 3.1.2.1)."""
    known = (tag.lower().partition("-")[0] for tag in wishes.split())
    return next((language for language in known if language in ("en", "zh")), "")


def _readable(value: str) -> bool:
    return len(value) <= _LONGEST and value.isprintable() and _encodable(value)


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
