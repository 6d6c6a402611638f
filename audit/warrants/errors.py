# SPDX-License-Identifier: Apache-2.0
"""Errors of warrants.

Forbidden
├── WarrantNeeded     the act needs one that this officer does not hold; leads to the form that asks for it
├── NotYourPower      the officer's roles do not ask for, or decide about, this kind
├── OwnWarrant        nobody decides about what they asked for
├── AboutYou          nobody decides about what is about themselves
└── UnderHold         a legal hold refuses the erasure
NotFound
├── NoSuchWarrant
└── NothingToShut     an emergency switch names what the site does not have, or what must stay open
Conflict
├── WarrantSettled    it was decided, used, withdrawn or ran out before
├── ShutAlready       it is shut, or somebody is changing it at this moment
├── NotShut           there is nothing to open again
└── ErasureUnderWay   the person is being erased: too late for a hold
Invalid
├── BadScope          not a part of the record that this kind can be about
└── BadPurpose        the purpose is missing, too short or too long
TooMany
└── TooManyWaiting    one officer has too many requests open
"""

from urllib.parse import urlencode

from core.errors import N_, Conflict, Forbidden, Invalid, NotFound, TooMany


class WarrantNeeded(Forbidden):
    """``kind`` and ``scope`` say which; the page leads to the form that asks for it."""

    code = "warrant_needed"
    message = N_(
        "This needs the consent of a second officer. Ask for it and say what it is for; as soon as another officer "
        "has approved, come back and do it. Needed: %(kind)s, %(scope)s."
    )
    leads_says = N_("Ask for a second officer's consent")

    @property
    def leads_to(self) -> str:
        """The form, filled in."""
        return f"/warrants/new?{urlencode({'kind': self.parameters['kind'], 'scope': self.parameters['scope']})}"


class NotYourPower(Forbidden):
    """The officer's roles do not reach so far."""

    code = "warrant_not_your_power"
    message = N_("Your roles do not let you ask for this or decide about it.")


class OwnWarrant(Forbidden):
    """Four eyes: the second pair must be somebody else's."""

    code = "warrant_own"
    message = N_("You asked for this yourself. Another officer must decide about it.")


class AboutYou(Forbidden):
    """Nobody is judge in their own cause."""

    code = "warrant_about_you"
    message = N_("This is about yourself. Another officer must take care of it.")


class UnderHold(Forbidden):
    """``count`` holds stand; each must be released first."""

    code = "under_legal_hold"
    message = N_("This person is under legal hold (%(count)s). Nothing about them can be erased until it is released.")


class NoSuchWarrant(NotFound):
    """There is none of this identifier."""

    code = "no_such_warrant"
    message = N_("There is no such request.")


class NothingToShut(NotFound):
    """``name`` is what was named."""

    code = "nothing_to_shut"
    message = N_(
        "This site has nothing called “%(name)s” that could be shut. Choose from the list: hosts where switches are "
        "taken back, and the gateway's own client, stay open."
    )


class ShutAlready(Conflict):
    """``name`` is shut, or on its way there or back."""

    code = "shut_already"
    message = N_("“%(name)s” is shut already, or somebody is changing it at this moment.")


class NotShut(Conflict):
    """``name`` is open."""

    code = "not_shut"
    message = N_("“%(name)s” is not shut, or somebody is opening it at this moment.")


class WarrantSettled(Conflict):
    """Somebody else was there before, or its time is over."""

    code = "warrant_settled"
    message = N_("This request has been settled or has run out. Please look at it again.")


class ErasureUnderWay(Conflict):
    """The erasure stands in the record and will be finished."""

    code = "erasure_under_way"
    message = N_("This person is being erased at this moment.")


class BadScope(Invalid):
    """This kind cannot be about that."""

    code = "bad_warrant_scope"
    message = N_("This cannot be asked for. Choose what you need, and name the entry, person or case it is about.")


class BadPurpose(Invalid):
    """The second officer decides by it, so it cannot be missing."""

    code = "bad_warrant_purpose"
    message = N_("Please say in at least %(least)s and at most %(most)s characters what this is for.")


class TooManyWaiting(TooMany):
    """Whoever floods the others with requests waits."""

    code = "too_many_warrants"
    message = N_("%(most)s of your requests are still open. Withdraw some of them first.")
