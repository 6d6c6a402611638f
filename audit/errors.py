# SPDX-License-Identifier: Apache-2.0
"""Errors of the audit service.

Unavailable
├── RecordUnavailable   the log gave no receipt: the act must not happen
└── FeedStale           a follower has heard nothing for too long: it denies
Invalid
└── BadEvent            an event the log does not take
Conflict
└── KeyReused           one idempotency key, two different events
NotFound
└── NoSuchEntry
Internal
└── LogDamaged          stored bytes contradict what was signed; names the first bad entry
"""

from core.errors import N_, Conflict, Internal, Invalid, NotFound, Unavailable


class RecordUnavailable(Unavailable):
    """No receipt, no act."""

    code = "record_unavailable"
    message = N_("Access cannot be recorded at the moment, so nothing was done. Please try again shortly.")


class FeedStale(Unavailable):
    """What the log says may have changed without our hearing of it."""

    code = "feed_stale"
    message = N_("This service is waiting for news from the record. Please try again shortly.")


class BadEvent(Invalid):
    """An event the log does not take; ``why`` says which rule it breaks."""

    code = "bad_event"
    message = N_("The record does not take this event: %(why)s")


class KeyReused(Conflict):
    """The same idempotency key came with different content."""

    code = "event_key_reused"
    message = N_("This event key was used for a different event.")


class NoSuchEntry(NotFound):
    """The log is not that long."""

    code = "no_such_entry"
    message = N_("There is no such entry in the record.")


class LogDamaged(Internal):
    """Stored bytes contradict the signed tree."""

    code = "log_damaged"
    message = N_("The record is damaged at entry %(index)s: %(why)s")
