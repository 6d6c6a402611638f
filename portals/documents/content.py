# SPDX-License-Identifier: Apache-2.0
"""The documents in a civil servant's tray."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.errors import N_, NotFound

from ..base.seed import Seed

_TITLES = (
    ("budget", N_("Notice on the budget of the coming year")),
    ("flood", N_("Plan for the flood season")),
    ("archives", N_("Rules for handing over archives")),
    ("procurement", N_("Approval of a procurement of network equipment")),
    ("schools", N_("Report on the safety of school buildings")),
    ("holidays", N_("Duty roster for the public holidays")),
)
_LABELS = {0: N_("Unclassified"), 1: N_("For internal use")}


class NoSuchDocument(NotFound):
    """The tray holds no such document."""

    code = "no_such_document"
    message = N_("This document is not in your tray.")


def documents(subject: str, at: datetime) -> Mapping[str, Any]:
    """All documents, in a fixed order."""
    return {"documents": [_document(subject, name, title, at.year) for name, title in _TITLES]}


def document(subject: str, name: str, at: datetime) -> Mapping[str, Any]:
    """One document.

    Raises:
        NoSuchDocument: unknown name.
    """
    for found in documents(subject, at)["documents"]:
        if found["name"] == name:
            chosen: Mapping[str, Any] = found
            return chosen
    raise NoSuchDocument


def _document(subject: str, name: str, title: str, year: int) -> dict[str, Any]:
    level = Seed("", name).between(0, 1, "level")
    return {
        "name": name,
        "number": f"{year}-{Seed('', name).between(100, 999, 'number')}",
        "title": title,
        "level": level,
        "label": _LABELS[level],
        "pages": Seed("", name).between(1, 9, "pages"),
        "unread": Seed(subject, name).between(0, 2, "unread") == 0,
    }
