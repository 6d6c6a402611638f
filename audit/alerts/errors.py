# SPDX-License-Identifier: Apache-2.0
"""Errors of alerting.

Invalid
├── RuleRefused       a rule that cannot be evaluated exactly as it is written
├── PlacesRefused     a table of places that cannot be used
└── NoReasonGiven     acknowledging and closing need words
NotFound
└── NoSuchAlert
Forbidden
└── AlertAboutYou     nobody deals with an alert about what they did themselves
Conflict
└── AlertMoved        somebody else acknowledged or closed it meanwhile
Unavailable
└── RuleStopped       evaluating one rule took too long; what it would have said of these entries is not known
"""

from core.errors import N_, Conflict, Forbidden, Invalid, NotFound, Unavailable


class RuleRefused(Invalid):
    """``rule`` is its title or file, ``why`` what it needs and we do not do; never evaluated in a weaker form."""

    code = "rule_refused"
    message = N_("The alert rule “%(rule)s” cannot be used: %(why)s")


class PlacesRefused(Invalid):
    """``why`` names the place and what is wrong."""

    code = "places_refused"
    message = N_("The table of places cannot be used: %(why)s")


class NoReasonGiven(Invalid):
    """The reason is empty or longer than fits."""

    code = "no_reason_given"
    message = N_("Please say in a few words why.")


class NoSuchAlert(NotFound):
    """No alert has this identifier, or the entry is none of its own."""

    code = "no_such_alert"
    message = N_("There is no such alert.")


class AlertAboutYou(Forbidden):
    """Its group names the officer: whoever set it off does not send it away."""

    code = "alert_about_you"
    message = N_("This alert is about you. Another officer must deal with it.")


class AlertMoved(Conflict):
    """Its state is no longer the one this was meant for."""

    code = "alert_moved"
    message = N_("Somebody has acknowledged or closed this alert meanwhile.")


class RuleStopped(Unavailable):
    """``rule`` is its identifier."""

    code = "rule_stopped"
    message = N_("Evaluating the alert rule %(rule)s took too long and was stopped.")
