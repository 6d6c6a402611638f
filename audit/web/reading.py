# SPDX-License-Identifier: Apache-2.0
"""What officers and the site's own roles read: overview, search, entries, proofs, bundles."""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template

from core.web import Guard, _, caller

from ..console import Console, Hit, Page, SavedSearches
from ..models import Reader
from ..search import Row, TileAddress, parse
from ..search.query import FILTERS
from ..search.words import PERSONAL, tell
from .asked import file, octets, officer, parameters, place
from .blueprint import ROLE, Pages
from .choices import choices
from .narrowing import address, bars, facets


def reading(console: Console, *, searches: SavedSearches, assurance: int = 1) -> Pages:
    """Every address at which the record is read; ``assurance`` is the lowest with which an officer reads."""

    def pages(made: Blueprint, guard: Guard) -> None:
        _officers(made, console, searches, guard, assurance)
        _downloads(made, console, guard, assurance)
        _peers(made, console, guard)

    return pages


def _officers(made: Blueprint, console: Console, searches: SavedSearches, guard: Guard, assurance: int) -> None:
    @made.get("/search")
    @guard.person(ROLE, assurance=assurance)
    def search() -> str:
        given = parameters()
        query = parse(given)
        page = console.search(officer(), query)
        return render_template(
            "audit/search.html",
            page=page,
            older=address(given, after=page.next) if page.next is not None else None,
            newest=address(given) if "after" in given else None,
            as_json=address(given).replace("/search", "/search.json", 1),
            facets=facets(given, query.fields(), page.survey),
            bars=bars(given, query.text, page.survey),
            saved=searches.mine(officer()),
            this_search=address(given).partition("?")[2],
            asks_for="" if query.phrases else _asks_for(given),
            as_evidence="" if query.phrases else _evidence(given),
            **choices(given, query),
        )

    @made.get("/search.json")
    @guard.person(ROLE, assurance=assurance, errors="problem")
    def search_json() -> dict[str, Any]:
        return _page_document(console.search(officer(), parse(parameters()), unseal=False))

    @made.get("/entries/<index>")
    @guard.person(ROLE, assurance=assurance)
    def entry(index: str) -> str:
        opened = console.open(officer(), place(index))
        return render_template(
            "audit/entry.html",
            opened=opened,
            told=tell(opened.row),
            pretty=_pretty(opened.raw),
            personal=PERSONAL,
        )


def _downloads(made: Blueprint, console: Console, guard: Guard, assurance: int) -> None:
    @made.get("/entries/<index>/entry.json")
    @guard.person(ROLE, assurance=assurance)
    def entry_bytes(index: str) -> Response:
        number = place(index)
        return file(console.raw(officer(), number), "application/json", f"entry-{number}.json")

    @made.get("/entries/<index>/entry.tlog-proof")
    @guard.person(ROLE, assurance=assurance)
    def entry_proof(index: str) -> Response:
        number = place(index)
        proof = console.proof(officer(), number).encode()
        return file(proof, "text/plain; charset=utf-8", f"entry-{number}.tlog-proof")

    @made.get("/tile/entries/<path:rest>")
    @guard.person(ROLE, assurance=assurance, errors="problem")
    def bundle(rest: str) -> Response:
        return octets(console.bundle(officer(), TileAddress.parse("0", rest)), "private, no-store")

    @made.get("/logs/<log>/tile/entries/<path:rest>")
    @guard.person(ROLE, assurance=assurance, errors="problem")
    def closed_bundle(log: str, rest: str) -> Response:
        return octets(console.bundle(officer(), TileAddress.parse("0", rest), log), "private, no-store")


def _peers(made: Blueprint, console: Console, guard: Guard) -> None:
    @made.get("/api/v1/entries")
    @guard.peer("app")
    def entries() -> dict[str, Any]:
        return _page_document(console.search(Reader(role=caller()), parse(parameters()), unseal=False))

    @made.get("/api/v1/bundles/<path:rest>")
    @guard.peer("app")
    def peer_bundle(rest: str) -> Response:
        return octets(console.bundle(Reader(role=caller()), TileAddress.parse("0", rest)), "private, no-store")

    @made.get("/api/v1/subjects/<subject>/entries")
    @guard.peer("sso")
    def subject_entries(subject: str) -> dict[str, Any]:
        query = parse(parameters(only=("after", "limit", "lang")))
        # The path is as strict as a filter; a subject nobody knows has an empty record.
        subject = parse({"person": [subject]}).person
        rows = console.history(Reader(role=caller()), subject, after=query.after, limit=query.limit)
        return {"entries": [_plain(row) for row in rows]}

    @made.get("/api/v1/subjects/<subject>/entries/<index>")
    @guard.peer("sso")
    def subject_entry(subject: str, index: str) -> dict[str, str]:
        subject = parse({"person": [subject]}).person
        raw, proof = console.own(Reader(role=caller()), subject, place(index))
        return {"entry": base64.b64encode(raw).decode(), "proof": proof}


def _asks_for(given: Mapping[str, list[str]]) -> str:
    """The form that asks for the personal fields of what this search finds; a search for everything has none."""
    kept = {name: found[0].strip() for name, found in given.items() if name in FILTERS and found[0].strip()}
    scope = f"query:{urlencode(sorted(kept.items()))}"
    return f"/warrants/new?{urlencode({'kind': 'open', 'scope': scope})}" if kept else ""


def _evidence(given: Mapping[str, list[str]]) -> str:
    """Where this result can be had as evidence; a search for everything cannot."""
    kept = {name: found[0].strip() for name, found in given.items() if name in FILTERS and found[0].strip()}
    scope = f"query:{urlencode(sorted(kept.items()))}"
    return f"/evidence?{urlencode({'scope': scope})}" if kept else ""


def _page_document(page: Page) -> dict[str, Any]:
    return {
        "entries": [_document(hit) for hit in page.hits],
        "total": page.total,
        "more": page.more,
        "next": page.next,
        "lag": page.lag,
        "damaged": [{"first": part.first, "end": part.end} for part in page.damaged],
        "facets": {name: dict(values) for name, values in page.survey.facets.items()},
    }


def _document(hit: Hit) -> dict[str, Any]:
    row = hit.row
    names = ("type", "source", "zone", "subject", "actor", "object", "organisation", "session", "decision", "policy")
    return {
        "index": row.index,
        "time": row.at.isoformat(),
        "outcome": row.outcome.value,
        **{name: getattr(row, name) for name in names},
        "attributes": dict(row.attributes),
    }


def _plain(row: Row) -> dict[str, Any]:
    told = tell(row)
    return {
        "index": row.index,
        "time": row.at.isoformat(),
        "type": row.type,
        "says": _(told.says),
        "what": row.object,
        "where": _(told.zone) if told.zone else "",
        "by": _(told.source),
        "outcome": row.outcome.value,
        "outcome_says": _(told.outcome),
        "client": str(row.attributes.get("client", "")),
        "purpose": str(row.attributes.get("purpose", "")),
    }


def _pretty(raw: bytes) -> str:
    """The entry for reading; what is downloaded are the very bytes."""
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False, indent=2)
    except ValueError:
        return raw.decode("utf-8", "replace")
