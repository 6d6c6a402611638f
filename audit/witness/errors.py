# SPDX-License-Identifier: Apache-2.0
"""Errors of witnessing, in the order in which C2SP tlog-witness lists its checks.

NotFound
└── UnknownLog        we witness no log of this origin
Forbidden
└── NotTheLogs        no signature of the log, or a bad one
Invalid
├── BadSubmission     not of the form of a submission
├── Inconsistent      the proof fails, or another root at the same size: 422
└── PolicyRefused     a tlog-policy file that cannot be used
Conflict
└── Outdated          the old size is not the one we cosigned last: 409 and that size
"""

from core.errors import N_, Conflict, Forbidden, Invalid, NotFound


class UnknownLog(NotFound):
    """Whoever operates this witness has not configured this origin."""

    code = "unknown_log"
    message = N_("This witness knows no such log.")


class NotTheLogs(Forbidden):
    """No key that is trusted for this origin signed the checkpoint."""

    code = "not_the_logs"
    message = N_("The checkpoint is not signed by the log it names.")


class BadSubmission(Invalid):
    """``why`` says what is wrong with the form."""

    code = "bad_submission"
    message = N_("The submission cannot be read: %(why)s")


class Inconsistent(Invalid):
    """The checkpoint is not shown to continue the one that was cosigned last."""

    code = "inconsistent"
    message = N_("The checkpoint is not shown to continue the last one: %(why)s")


class Outdated(Conflict):
    """``size`` is that of the checkpoint that was cosigned last."""

    code = "outdated"
    message = N_("The last checkpoint cosigned here has %(size)s entries.")


class PolicyRefused(Invalid):
    """``line`` is the number of the line at fault, 0 for the whole file."""

    code = "policy_refused"
    message = N_("The witness policy cannot be used: line %(line)s: %(why)s")
