# SPDX-License-Identifier: Apache-2.0
"""What stands between a valid request and its code: log in, prove more, agree, or nothing. Order is the rule."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ...errors import AccountSelectionRequired, ConsentRequired, LoginRequired, Redirectable
from ...models import AuthorizationRequest, Client, Consent, Interaction, Session
from ..rfc9396.signing import signs
from .wanted import asked_about


class Step(StrEnum):
    """What the person has to do next."""

    LOGIN = "login"
    STEP_UP = "step_up"
    CHOOSE = "choose"
    CONSENT = "consent"
    # Everything there is to prove was proved, and it is not enough.
    UNREACHABLE = "unreachable"
    # Somebody logged in, and it is somebody else than the client asked about.
    OTHER = "other"
    ISSUE = "issue"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that decides."""

    request: AuthorizationRequest
    client: Client
    session: Session | None
    consent: Consent | None
    # Whether a login, and a "yes", happened for this very request.
    logged_in: bool
    agreed: bool
    # Whether a signature was confirmed by card or passkey within it.
    confirmed: bool
    # Whether this is whom the client asked about, if it said.
    right_person: bool
    at: int
    # Whether there is somebody to act for, and that was not asked yet.
    undecided: bool = False


def need_session(it: Situation) -> Step | None:
    """Nobody is logged in."""
    return Step.LOGIN if it.session is None else None


def need_right_person(it: Situation) -> Step | None:
    """``id_token_hint`` or a wanted ``sub``: the answer is about that person or nobody (Core 3.1.2.1, 5.5.1)."""
    if it.session is None or it.right_person:
        return None
    return Step.OTHER if it.logged_in else Step.LOGIN


def need_fresh_login(it: Situation) -> Step | None:
    """``prompt=login`` and ``select_account`` ask for a login within this very request."""
    asked = it.request.prompts & {"login", "select_account"}
    return Step.LOGIN if asked and not it.logged_in else None


def need_recent_login(it: Situation) -> Step | None:
    """``max_age``: the login is too long ago (OpenID Connect Core 3.1.2.1)."""
    if it.request.max_age is None or it.logged_in or it.session is None:
        return None
    return Step.LOGIN if it.at - it.session.authenticated_at >= it.request.max_age else None


def need_assurance(it: Situation) -> Step | None:
    """``acr_values`` asks for more than this login proves; a card cannot be topped."""
    if it.session is None or it.session.assurance >= it.request.assurance:
        return None
    return Step.UNREACHABLE if it.logged_in and "sc" in it.session.methods else Step.STEP_UP


def need_choice(it: Situation) -> Step | None:
    """``mandate`` asks for whom the person acts, each time; whoever has nobody to act for is not asked."""
    return Step.CHOOSE if it.undecided and "mandate" in it.request.scopes else None


def need_consent(it: Situation) -> Step | None:
    """A client that is not the site's own needs the person's word, remembered for the same or wider scopes."""
    if it.agreed and (it.confirmed or not signs(it.request.details)):
        return None
    # Authorization details are this very request's: no earlier yes covers them (RFC 9396 section 6).
    if it.request.details:
        return Step.CONSENT
    if it.client.trusted and "consent" not in it.request.prompts:
        return None
    if "consent" in it.request.prompts or it.consent is None or it.consent.expires_at <= it.at:
        return Step.CONSENT
    return None if asked_about(it.request) <= it.consent.scopes | it.consent.refused else Step.CONSENT


STEPS: tuple[Callable[[Situation], Step | None], ...] = (
    need_session,
    need_right_person,
    need_fresh_login,
    need_recent_login,
    need_assurance,
    need_choice,
    need_consent,
)


def next_step(
    request: AuthorizationRequest,
    client: Client,
    *,
    session: Session | None,
    consent: Consent | None,
    interaction: Interaction | None,
    at: int,
    undecided: bool = False,
    right_person: bool = True,
) -> Step:
    """The first step that is missing, or ISSUE."""
    situation = Situation(
        request=request,
        client=client,
        session=session,
        consent=consent,
        logged_in=interaction is not None and interaction.logged_in(session),
        agreed=interaction is not None and interaction.agreed(session),
        confirmed=interaction is not None and interaction.confirmed(session),
        right_person=right_person,
        at=at,
        undecided=undecided,
    )
    return next((step for need in STEPS if (step := need(situation)) is not None), Step.ISSUE)


def unattended(step: Step) -> Redirectable:
    """How ``prompt=none`` is told that a page would be needed."""
    if step is Step.CHOOSE:
        return AccountSelectionRequired(why="prompt=none")
    return ConsentRequired(why="prompt=none") if step is Step.CONSENT else LoginRequired(why="prompt=none")
