# SPDX-License-Identifier: Apache-2.0
"""Errors of time-stamping.

Unavailable
└── StampSilent       the authority does not answer, or not in time
Invalid
└── StampRefused      what it answered is no stamp over what was asked; ``why`` says which check failed
"""

from core.errors import N_, Invalid, Unavailable


class StampSilent(Unavailable):
    """No answer, one without end, or one of another kind."""

    code = "stamp_silent"
    message = N_("The time-stamping authority does not answer.")


class StampRefused(Invalid):
    """An answer that must not be kept."""

    code = "stamp_refused"
    message = N_("The time-stamp does not hold: %(why)s")
