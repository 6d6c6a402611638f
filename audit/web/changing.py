# SPDX-License-Identifier: Apache-2.0
"""The door by which the directory's desk, and nobody else, reads how its entries were changed."""

import base64
from typing import Any

from flask import Blueprint

from core.web import Guard, _, caller

from ..console import Histories
from ..models import Reader
from ..search import Entered, parse
from ..search.errors import BadFilter
from ..search.words import tell
from .asked import parameters, place
from .blueprint import Pages

PEER = "directory"


def changing(histories: Histories) -> Pages:
    """Changes of one entry, page by page, and the proof of one of them."""

    def pages(made: Blueprint, guard: Guard) -> None:
        @made.get("/api/v1/changes/<kind>/<identifier>")
        @guard.peer(PEER)
        def changes(kind: str, identifier: str) -> dict[str, Any]:
            entry = Entered.parse(kind, identifier)
            given = parameters(only=("after", "limit", "lang", "officer", "open"))
            reader, opens = _reader(given), _one(given, "open") == "1"
            query = parse({name: given[name] for name in ("after", "limit", "lang") if name in given})
            found, following = histories.of(reader, entry, after=query.after, limit=query.limit, opens=opens)
            return {
                "changes": [
                    {
                        "index": each.row.index,
                        "time": each.row.at.isoformat(),
                        "type": each.row.type,
                        "says": _(tell(each.row).says),
                        "outcome": each.row.outcome.value,
                        "subject": each.row.subject,
                        "actor": each.row.actor,
                        "organisation": each.row.organisation,
                        "attributes": dict(each.row.attributes),
                        "sealed": None if each.sealed is None else dict(each.sealed),
                    }
                    for each in found
                ],
                "next": following,
            }

        @made.get("/api/v1/changes/<kind>/<identifier>/<index>")
        @guard.peer(PEER)
        def change(kind: str, identifier: str, index: str) -> dict[str, str]:
            entry = Entered.parse(kind, identifier)
            reader = _reader(parameters(only=("officer",)))
            raw, proof = histories.proof(reader, entry, place(index))
            return {"entry": base64.b64encode(raw).decode(), "proof": proof}

    return pages


def _reader(given: dict[str, list[str]]) -> Reader:
    """Who asks at the desk; as strict as a filter, so that no reading stands in the record without its person."""
    officer = parse({"person": given.get("officer", [])[:2] or [""]}).person
    if not officer:
        raise BadFilter(field="officer")
    return Reader(subject=officer, role=caller())


def _one(given: dict[str, list[str]], name: str) -> str:
    found = given.get(name, [""])
    if len(found) != 1 or found[0] not in ("", "0", "1"):
        raise BadFilter(field=name)
    return found[0]
