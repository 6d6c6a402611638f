# SPDX-License-Identifier: Apache-2.0
"""Alerts in words that officers use; every text is a catalogue key."""

from core.errors import N_

from .models import Kind, Level, State

LEVELS = {
    Level.INFORMATIONAL: N_("for information"),
    Level.LOW: N_("low"),
    Level.MEDIUM: N_("medium"),
    Level.HIGH: N_("high"),
    Level.CRITICAL: N_("critical"),
}
LEVEL_TONES = {
    Level.INFORMATIONAL: "quiet",
    Level.LOW: "quiet",
    Level.MEDIUM: "warn",
    Level.HIGH: "bad",
    Level.CRITICAL: "bad",
}
STATES = {
    State.OPEN: N_("unattended"),
    State.ACKNOWLEDGED: N_("taken on"),
    State.CLOSED: N_("closed"),
}
STATE_TONES = {State.OPEN: "bad", State.ACKNOWLEDGED: "warn", State.CLOSED: "good"}
KINDS = {
    Kind.SINGLE: N_("One entry is enough."),
    Kind.EVENT_COUNT: N_("So many entries of one group within the window."),
    Kind.VALUE_COUNT: N_("So many different values in one group within the window."),
    Kind.TEMPORAL: N_("Entries of every kind that the rule names, in one group within the window."),
    Kind.TEMPORAL_ORDERED: N_("Entries of every kind that the rule names, in its order, within the window."),
    Kind.OWN: N_("The watching says this of itself."),
}
FIELDS = {
    "account": N_("Account, as a token of one day"),
    "actor": N_("Who acted"),
    "client": N_("Application"),
    "first": N_("From entry"),
    "last": N_("To entry"),
    "issuer": N_("Issuing authority"),
    "network": N_("Network address"),
    "object": N_("Portal or object"),
    "organisation": N_("Organisation"),
    "profile": N_("Certificate profile"),
    "role": N_("Role"),
    "rule": N_("Rule"),
    "session": N_("Session"),
    "silent_source": N_("Service that is silent"),
    "source": N_("Service"),
    "subject": N_("Whom it concerns"),
    "type": N_("What happened"),
    "zone": N_("Network"),
}
