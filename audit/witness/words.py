# SPDX-License-Identifier: Apache-2.0
"""How a witness stands, in words that officers use; every text is a catalogue key."""

from core.errors import N_

from .status import State

STANDS = {
    State.COSIGNED: N_("has cosigned"),
    State.SILENT: N_("does not answer"),
    State.UNKNOWN: N_("does not know this log: its operator has to enter the log's key"),
    State.NOT_TRUSTED: N_("knows another key for this log"),
    State.AHEAD: N_("has seen more entries than there are here: entries were lost, or somebody else has the key"),
    State.INCONSISTENT: N_("has seen another history of this log"),
    State.REFUSED: N_("refuses for a reason it does not give"),
    State.FORGED: N_("sent no cosignature of the key that the policy names"),
    State.NO_ADDRESS: N_("has no address in the policy"),
}
STAND_TONES = {state: "good" if state is State.COSIGNED else "bad" for state in State} | {
    State.SILENT: "warn",
    State.NO_ADDRESS: "warn",
}
"""Class of the notice; the words beside it say the same."""
