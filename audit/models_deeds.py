# SPDX-License-Identifier: Apache-2.0
"""An event as a sentence: who did what to which target, seen by whom (the view of CADF, DMTF DSP0262).

Whose name goes where. The sealed part of an event is encrypted under the key of its *subject*, so erasing the subject
erases everything in it, and whoever may open the subject's part sees all of it. Hence:

- ``name`` (``name_zh``, ``username``) is the subject's own, as it was at the time of the event.
- ``object_name`` is the human name of the object at that time: a portal's title, an organisation's or a client's name,
  the subject line of a certificate. It stands there because where somebody went is as personal as who it was.
- ``actor_name`` is the name of somebody else than the subject. It may stand there only where the subject has a right to
  know who acted on them and the actor acts in office: it outlives an erasure of the actor and dies with the subject's.
  Otherwise the actor is a random identifier and nothing more.
- ``before.<field>`` and ``after.<field>`` are what a field of the subject's entry held and holds; a field that was
  added has no before, one that was removed no after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .events import KINDS
from .models import Event, Outcome

# OCSF account change and user access management: what is changed is the subject's own.
_OF_SUBJECT = frozenset({3001, 3005})
_BEFORE, _AFTER = "before.", "after."


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field of the target; None where there was or is nothing."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Who did what to which target, seen by whom; names only where the sealed part was opened."""

    # The type of the event.
    action: str
    outcome: Outcome
    # Random identifier of whoever acted, or "role:NAME"; empty if nobody was identified.
    initiator: str
    initiator_name: str = ""
    # What it was done to: the object, or the subject where the type is about the subject's own account or entry; empty
    # where the act is the initiator's own affair.
    target: str
    target_name: str = ""
    # The role that saw and recorded it; never taken for the initiator.
    observer: str
    changes: Sequence[Change] = ()


def deed(event: Event, sealed: Mapping[str, str] | None = None) -> Deed:
    """The sentence of an event; ``sealed`` is its opened sealed part, if the reader may see it."""
    known, kind = sealed or {}, KINDS[event.type]
    name = known.get("name_zh") or known.get("name") or known.get("username", "")
    own = not event.actor or event.actor == event.subject
    about_subject = kind.of_subject or kind.ocsf_class in _OF_SUBJECT or not event.object
    if about_subject:
        # Nobody is said to act on themselves where nobody else is named and nothing of theirs is changed.
        target = event.subject if not own or kind.of_subject or kind.ocsf_class in _OF_SUBJECT else ""
    else:
        target = event.object
    return Deed(
        action=event.type,
        outcome=event.outcome,
        initiator=event.actor or event.subject,
        initiator_name=name if own else known.get("actor_name", ""),
        target=target,
        target_name=(name if about_subject else known.get("object_name", "")) if target else "",
        observer=event.source,
        changes=_changes(known),
    )


def _changes(known: Mapping[str, str]) -> Sequence[Change]:
    fields = {name.removeprefix(start) for start in (_BEFORE, _AFTER) for name in known if name.startswith(start)}
    return [
        Change(field=field, before=known.get(_BEFORE + field), after=known.get(_AFTER + field))
        for field in sorted(fields)
    ]
