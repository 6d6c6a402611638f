# SPDX-License-Identifier: Apache-2.0
"""Errors of the audit service.

Unavailable
├── RecordUnavailable   the log gave no receipt: the act must not happen
├── TilesUnavailable    the storage of tiles does not answer; what was to be read or put there is tried again
└── FeedStale           a follower has heard nothing for too long: it denies
Invalid
├── BadEvent            an event the log does not take
└── ProofRefused        a proof, note or key does not hold
Conflict
├── KeyReused           one idempotency key, two different events
├── LogInUse            another process owns the log folder
├── LogClosed           the log has a successor, or shall have one; nothing is written to it any more
├── TooFewWitnesses     a log is not closed while its last checkpoint would go unwitnessed
├── IndexInUse          another process rebuilds the search index
└── LogExists           a log is created once
TooMany
└── TooManySearches     an officer has saved as many as one may have
NotFound
├── NoSuchEntry
├── NothingWitnessed    no checkpoint has been cosigned by enough witnesses
├── Pruned              retention removed the entry; its hashes stay
└── Erased              the key of an entry's sealed part was destroyed
Internal
└── LogDamaged          stored bytes contradict what was signed; names the first bad entry
"""

from core.errors import N_, Conflict, Internal, Invalid, NotFound, TooMany, Unavailable


class RecordUnavailable(Unavailable):
    """No receipt, no act."""

    code = "record_unavailable"
    message = N_("Access cannot be recorded at the moment, so nothing was done. Please try again shortly.")


class TilesUnavailable(Unavailable):
    """The store of tiles and checkpoints gave no answer that settles anything."""

    code = "tiles_unavailable"
    message = N_("The storage of the record does not answer at the moment. Please try again shortly.")


class FeedStale(Unavailable):
    """What the log says may have changed without our hearing of it."""

    code = "feed_stale"
    message = N_("This service is waiting for news from the record. Please try again shortly.")


class BadEvent(Invalid):
    """An event the log does not take; ``why`` says which rule it breaks."""

    code = "bad_event"
    message = N_("The record does not take this event: %(why)s")


class ProofRefused(Invalid):
    """A proof, a signed note or a key does not hold; ``why`` says where it fails."""

    code = "proof_refused"
    message = N_("The proof does not hold: %(why)s")


class KeyReused(Conflict):
    """The same idempotency key came with different content."""

    code = "event_key_reused"
    message = N_("This event key was used for a different event.")


class LogInUse(Conflict):
    """Another process owns the log folder; two writers would tear the log apart."""

    code = "log_in_use"
    message = N_("Another process is writing this record.")


class IndexInUse(Conflict):
    """One rebuilding at a time; the other one goes on."""

    code = "index_in_use"
    message = N_("The search index is being rebuilt by another process.")


class LogClosed(Conflict):
    """The log's last entry names its successor; ``rotate`` was interrupted if nobody serves that one yet."""

    code = "log_closed"
    message = N_("This record is closed, and its successor is not in place yet: run “tallygate audit rotate” again.")


class TooFewWitnesses(Conflict):
    """The quorum does not cosign at the moment."""

    code = "too_few_witnesses"
    message = N_("Too few witnesses answer. Try again later, or close the record without them: --unwitnessed.")


class LogExists(Conflict):
    """A log is created once; a second creation would sign a second entry 0."""

    code = "log_exists"
    message = N_("This record exists already.")


class NoSuchEntry(NotFound):
    """The log is not that long."""

    code = "no_such_entry"
    message = N_("There is no such entry in the record.")


class NothingWitnessed(NotFound):
    """Nobody is asked, or too few have answered so far."""

    code = "nothing_witnessed"
    message = N_("No checkpoint of this record has been cosigned by enough witnesses.")


class Erased(NotFound):
    """The key of this part was destroyed; that the entry exists can still be proven."""

    code = "entry_erased"
    message = N_("The personal part of this entry was erased.")


class Pruned(NotFound):
    """Entries below ``first`` were removed by the policy of retention; that they existed can still be proven."""

    code = "entry_pruned"
    message = N_("Entries before number %(first)s are no longer kept.")


class LogDamaged(Internal):
    """Stored bytes contradict the signed tree."""

    code = "log_damaged"
    message = N_("The record is damaged at entry %(index)s: %(why)s")


class TooManySearches(TooMany):
    """``most`` is how many one officer may keep."""

    code = "too_many_searches"
    message = N_("You have %(most)s saved searches. Remove one that you no longer need, and save again.")
