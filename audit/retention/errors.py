# SPDX-License-Identifier: Apache-2.0
"""Errors of retention.

Invalid
└── BadTerm             a class is kept for at least what the settings say, and never for less than 180 days
Conflict
├── ClockDoubted        the clock does not fit what was seen before: nothing is dropped until an officer says so
├── TooMuchAtOnce       more than one quarter of a class would go at once: likewise
└── NothingToConfirm    no run waits for an officer
"""

from core.errors import N_, Conflict, Invalid


class BadTerm(Invalid):
    """A term is a number of days from the settings' own up to a hundred years."""

    code = "bad_term"
    message = N_("This class is kept for at least %(least)s and at most %(most)s days.")


class ClockDoubted(Conflict):
    """Days passed by the clock that nobody saw pass, or it went back."""

    code = "retention_clock_doubted"
    message = N_("The clock does not fit the record: nothing is dropped until an officer confirms it.")


class TooMuchAtOnce(Conflict):
    """A day passes, and more than one quarter of a class has run out."""

    code = "retention_too_much"
    message = N_("More than one quarter would be dropped at once: nothing is dropped until an officer confirms it.")


class NothingToConfirm(Conflict):
    """No run was refused."""

    code = "retention_nothing_to_confirm"
    message = N_("No run of retention waits for an officer.")
