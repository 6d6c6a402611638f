# SPDX-License-Identifier: Apache-2.0
"""Retention in words that officers use; every text is a catalogue key."""

from core.errors import N_

from ..events import Retention
from .plan import Drop

CLASSES = {
    Retention.ACCESS: N_("Access: decisions, logins, sessions, readings"),
    Retention.IDENTITY: N_("Identity: accounts, roles, devices, consents"),
    Retention.TRUST: N_("Trust: certificates, keys, policies, signatures, the log itself"),
}
DROPS = {
    Drop.SEALS: N_("Keys of personal parts: %(name)s"),
    Drop.INDEX: N_("A part of the search index: %(name)s"),
    Drop.BUNDLES: N_("Entries before number %(name)s; their hashes stay"),
}
STATES = {
    "begun": N_("under way"),
    "done": N_("dropped"),
    "refused": N_("refused"),
}
WAITS = {
    "retention_clock_doubted": N_(
        "The clock does not fit the record: nothing is dropped until an officer confirms it."
    ),
    "retention_too_much": N_(
        "More than one quarter would be dropped at once: nothing is dropped until an officer confirms it."
    ),
}
