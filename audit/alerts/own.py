# SPDX-License-Identifier: Apache-2.0
"""What the watching says of itself; these are no Sigma rules and cannot be switched off."""

from dataclasses import dataclass

from core.errors import N_

from .models import Level, Told


@dataclass(frozen=True)
class Own:
    """One thing it can say."""

    id: str
    told: Told
    level: Level


FLOODED = Own(
    "tallygate-window-full",
    Told(
        title=N_("Too much happened to watch all of it"),
        description=N_(
            "More entries were waiting for others than are kept, so the oldest were dropped: alerts that needed them "
            "are missing. A flood may be meant to hide something; look at what happened before and during it."
        ),
    ),
    Level.HIGH,
)
UNSEEN = Own(
    "tallygate-pruned-unseen",
    Told(
        title=N_("Entries went before they were watched"),
        description=N_(
            "Retention removed entries that no rule had looked at: the watching had stopped for longer than they are "
            "kept, or began anew. It goes on with the first entry that is kept; what the others would have set off is "
            "not known."
        ),
    ),
    Level.HIGH,
)
CROWD = Own(
    "tallygate-many-alerts",
    Told(
        title=N_("One rule was met for very many at once"),
        description=N_(
            "So many groups met one rule at the same time that only the first have alerts of their own. The entries "
            "here are examples of the rest."
        ),
    ),
    Level.HIGH,
)
STOPPED = Own(
    "tallygate-rule-stopped",
    Told(
        title=N_("A rule could not be evaluated"),
        description=N_(
            "Evaluating a rule took too long and was stopped. What it would have said of these entries is not known."
        ),
    ),
    Level.MEDIUM,
)
