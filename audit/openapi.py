# SPDX-License-Identifier: Apache-2.0
"""What programs may ask of the record, as OpenAPI 3.1; the tests hold the interface to it.

Tiles, bundles, checkpoints and proofs have the formats of C2SP (tlog-tiles, tlog-checkpoint, tlog-proof).
"""

from typing import Any

from core.openapi import PEER, PERSON, TEXT, document, exact, refusals

from .events import KINDS
from .intake import LINES, MOST_EVENTS
from .models import Outcome
from .search.changes import EntryKind
from .search.query import LARGEST_PAGE, LONGEST, LONGEST_TEXT, PAGE, ZONES
from .search.terms import NOWHERE
from .witness.submission import SIZE_TYPE

_INDEX = "(0|[1-9][0-9]{0,15})"
_GROUPS = "(x(00[1-9]|0[1-9][0-9]|[1-9][0-9]{2})/(x[0-9]{3}/){0,4})?[0-9]{3}"
_WIDTH = r"(\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
_LOG = "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
_MIRROR: list[dict[str, list[str]]] = [{"mirror": []}]
_LEVEL = "([0-9]|[1-5][0-9]|6[0-3])"
_WHOLE = {"type": "integer", "minimum": 0}
_LIMIT = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE}
_MAYBE = {"anyOf": [_WHOLE, {"type": "null"}]}
_OCTETS = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_ROW = ("type", "source", "zone", "subject", "actor", "object", "organisation", "session", "decision", "policy")


def description() -> dict[str, Any]:
    """The document."""
    return document(
        title="Tallygate record",
        description="Read the append-only log and prove what it holds. Checkpoint and hash tiles are public; whoever "
        "reads entries is identified, and the reading is itself recorded before it is answered.",
        paths={
            "/checkpoint": {"get": _checkpoint("readCheckpoint")},
            "/tile/{level}/{rest}": {"get": _tile("readTile")},
            "/tile/entries/{rest}": {"get": _bundle("readBundle", PERSON)},
            "/pruned": {"get": _pruned("readPruned")},
            "/logs.txt": {"get": _logs("readLogs")},
            "/logs/{log}/checkpoint": {"get": _checkpoint("readClosedCheckpoint", closed=True)},
            "/logs/{log}/pruned": {"get": _pruned("readClosedPruned", closed=True)},
            "/logs/{log}/tile/{level}/{rest}": {"get": _tile("readClosedTile", closed=True)},
            "/logs/{log}/tile/entries/{rest}": {"get": _bundle("readClosedBundle", PERSON, closed=True)},
            **_mirror(),
            "/witnessed": {"get": _witnessed()},
            "/witness/add-checkpoint": {"post": _add_checkpoint()},
            "/witness/{digest}/checkpoint": {"get": _cosigned()},
            "/search.json": {"get": _search("search", PERSON)},
            "/entries/{index}/entry.json": {"get": _download("readEntry", "The bytes that were hashed", _json())},
            "/entries/{index}/entry.tlog-proof": {"get": _download("proveEntry", "Its inclusion proof", _plain())},
            "/api/v1/entries": {"get": _search("searchAsRole", PEER)},
            "/api/v1/bundles/{rest}": {"get": _bundle("readBundleAsRole", PEER)},
            "/api/v1/events": {"post": _events()},
            "/api/v1/subjects/{subject}/entries": {"get": _own()},
            "/api/v1/subjects/{subject}/entries/{index}": {"get": _own_entry()},
            "/api/v1/changes/{kind}/{identifier}": {"get": _changes()},
            "/api/v1/changes/{kind}/{identifier}/{index}": {"get": _change()},
        },
        schemas=_schemas(),
        security={
            "mirror": {
                "type": "http",
                "scheme": "basic",
                "description": "Name and secret of a mirror, as the settings of this site have them",
            }
        },
    )


def _mirror() -> dict[str, Any]:
    """The same files under one prefix, for mirrors: entry bundles with a credential instead of a person."""
    paths: dict[str, Any] = {"/mirror/logs.txt": {"get": _logs("mirrorLogs")}}
    for prefix, name, closed in (("/mirror", "mirror", False), ("/mirror/logs/{log}", "mirrorClosed", True)):
        paths |= {
            f"{prefix}/checkpoint": {"get": _checkpoint(f"{name}Checkpoint", closed=closed)},
            f"{prefix}/pruned": {"get": _pruned(f"{name}Pruned", closed=closed)},
            f"{prefix}/tile/{{level}}/{{rest}}": {"get": _tile(f"{name}Tile", closed=closed)},
            f"{prefix}/tile/entries/{{rest}}": {"get": _bundle(f"{name}Bundle", _MIRROR, closed=closed)},
        }
    return paths


def _of(*, closed: bool) -> list[dict[str, Any]]:
    """The parameter that names a closed log, where there is one."""
    return [_path("log", _LOG, "The last part of a closed log's origin")] if closed else []


def _checkpoint(name: str, *, closed: bool = False) -> dict[str, Any]:
    what = "The last checkpoint of a closed log" if closed else "The newest published checkpoint"
    return {
        "operationId": name,
        "summary": f"{what}, a signed note",
        "parameters": _of(closed=closed),
        "responses": {
            "200": {"description": "The checkpoint", "content": _plain()},
            **refusals(*(("404", "503") if closed else ("503",))),
        },
    }


def _pruned(name: str, *, closed: bool = False) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": "Below which entry none is kept by policy of retention, and where that is recorded; a signed note",
        "description": "Not there while every entry is kept",
        "parameters": _of(closed=closed),
        "responses": {"200": {"description": "The note", "content": _plain()}, **refusals("404", "503")},
    }


def _logs(name: str) -> dict[str, Any]:
    says = "Lines as in C2SP tlog-policy, signed by every log; empty at an old site that has had one log"
    return {
        "operationId": name,
        "summary": "The keys and addresses of all logs of the site in their order",
        "responses": {"200": {"description": says, "content": _plain()}, **refusals("503")},
    }


def _tile(name: str, *, closed: bool = False) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": "One hash tile of a closed log" if closed else "One hash tile",
        "parameters": [*_of(closed=closed), _path("level", _LEVEL, "Level of the tile"), _tile_index()],
        "responses": {
            "200": {"description": "Up to 256 hashes of 32 bytes", "content": _OCTETS},
            **refusals("400", "404", "503"),
        },
    }


def _witnessed() -> dict[str, Any]:
    return {
        "operationId": "readWitnessed",
        "summary": "The largest checkpoint that enough witnesses have cosigned",
        "responses": {"200": {"description": "The checkpoint", "content": _plain()}, **refusals("404", "503")},
    }


def _add_checkpoint() -> dict[str, Any]:
    form = "As in C2SP tlog-witness: old size, consistency proof, empty line, signed checkpoint"
    stale = {SIZE_TYPE: {"schema": {"type": "string", "pattern": "^(0|[1-9][0-9]*)\n$"}}}
    return {
        "operationId": "addCheckpoint",
        "summary": "Ask this site to witness a checkpoint of a log that it knows",
        "requestBody": {"required": True, "description": form, "content": _plain()},
        "responses": {
            "200": {"description": "Cosignature lines", "content": _plain()},
            **refusals("400", "403", "404", "413", "503"),
            "409": {"description": "The size that was cosigned last", "content": stale},
            "422": {"description": "Not shown to continue what was cosigned last", "content": _plain()},
        },
    }


def _events() -> dict[str, Any]:
    level = {"enum": ["sequenced", "published"], "default": "sequenced"}
    lines = {LINES: {"schema": {"type": "string"}}}
    return {
        "operationId": "recordEvents",
        "summary": "Append events to the log, each by itself",
        "security": PEER,
        "parameters": [{"name": "wait", "in": "query", "description": "What is waited for", "schema": level}],
        "requestBody": {
            "required": True,
            "description": f"Encoded events (docs/events.md), one on each line, at most {MOST_EVENTS}",
            "content": _plain(),
        },
        "responses": {
            "200": {
                "description": "One line of JSON for each event, in their order: index, leaf, level and, where it was "
                "waited for, checkpoint; or the code and detail of its refusal",
                "content": lines,
            },
            **refusals("400", "401", "403", "413", "503"),
        },
    }


def _cosigned() -> dict[str, Any]:
    return {
        "operationId": "readCosigned",
        "summary": "The newest checkpoint that this site cosigned for a log of others",
        "parameters": [_path("digest", "[0-9a-f]{64}", "SHA-256 of the log's origin")],
        "responses": {"200": {"description": "The checkpoint", "content": _plain()}, **refusals("404", "503")},
    }


def _bundle(name: str, security: Any, *, closed: bool = False) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": "One entry bundle; recorded as a range that was read",
        "security": security,
        "parameters": [*_of(closed=closed), _tile_index()],
        "responses": {
            "200": {"description": "Up to 256 entries, each behind its length in two bytes", "content": _OCTETS},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def _search(name: str, security: Any) -> dict[str, Any]:
    page = {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}}
    return {
        "operationId": name,
        "summary": "The newest entries that match, without their personal parts; recorded with its filters",
        "security": security,
        "parameters": _filters(),
        "responses": {"200": {"description": "One page", "content": page}, **refusals("400", "401", "403", "503")},
    }


def _download(name: str, what: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": f"{what}; recorded as an opening",
        "security": PERSON,
        "parameters": [_path("index", _INDEX, "Index of the entry")],
        "responses": {
            "200": {"description": what, "content": content},
            **refusals("401", "403", "404", "503", pages=True),
        },
    }


def _own() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/OwnRecord"}}}
    subject = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return {
        "operationId": "readOwnRecord",
        "summary": "What the record holds about one person, for that person",
        "security": PEER,
        "parameters": [
            {"name": "subject", "in": "path", "required": True, "schema": subject},
            *_paging(),
            _query("lang", {"enum": ["en", "zh"]}),
        ],
        "responses": {
            "200": {"description": "One page", "content": content},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def _own_entry() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/OwnEntry"}}}
    subject = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return {
        "operationId": "readOwnEntry",
        "summary": "The bytes of one entry about a person and its inclusion proof, for that person",
        "security": PEER,
        "parameters": [
            {"name": "subject", "in": "path", "required": True, "schema": subject},
            _path("index", _INDEX, "Index of the entry"),
        ],
        "responses": {
            "200": {"description": "Entry and proof", "content": content},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def _changed_entry() -> list[dict[str, Any]]:
    """Which entry of the directory, and which officer of its desk asks."""
    named = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    return [
        {"name": "kind", "in": "path", "required": True, "schema": {"enum": [kind.value for kind in EntryKind]}},
        {"name": "identifier", "in": "path", "required": True, "schema": named},
        _query("officer", named, "Who asks at the directory's desk") | {"required": True},
    ]


def _changes() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Changes"}}}
    return {
        "operationId": "readChanges",
        "summary": "How one entry of the directory was changed, for the directory's desk",
        "security": PEER,
        "parameters": [
            *_changed_entry(),
            *_paging(),
            _query("lang", {"enum": ["en", "zh"]}),
            _query("open", {"enum": ["", "0", "1"]}, "1 opens what the directory itself had sealed"),
        ],
        "responses": {
            "200": {"description": "One page", "content": content},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def _change() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/OwnEntry"}}}
    return {
        "operationId": "readChange",
        "summary": "The bytes of one change of an entry of the directory, and its inclusion proof",
        "security": PEER,
        "parameters": [*_changed_entry(), _path("index", _INDEX, "Index of the change")],
        "responses": {
            "200": {"description": "Entry and proof", "content": content},
            **refusals("400", "401", "403", "404", "503"),
        },
    }


def _path(name: str, pattern: str, says: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^{pattern}$"}
    return {"name": name, "in": "path", "required": True, "description": says, "schema": schema}


def _tile_index() -> dict[str, Any]:
    says = "Index in groups of three digits, x001/234, and .p/WIDTH for a partial tile; the slashes stand as they are"
    return _path("rest", _GROUPS + _WIDTH, says)


def _query(name: str, schema: dict[str, Any], says: str = "") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema} | ({"description": says} if says else {})


_TYPED = "Words, “phrases” in quotation marks, beginnings with a star, and field:value for every other filter"
_PLAIN = ("person", "organisation", "object", "session", "decision", "source", "reason")


def _filters() -> list[dict[str, Any]]:
    text = {"type": "string", "maxLength": LONGEST}
    moment = "A date, or a date with time; without an offset UTC. The last day, minute or second counts in full"
    return [
        _query("q", {"type": "string", "maxLength": LONGEST_TEXT}, _TYPED),
        *(_query(name, text) for name in _PLAIN),
        _query("zone", {"enum": ["", *ZONES]}),
        _query("to_zone", {"enum": ["", *ZONES, NOWHERE]}),
        _query("outcome", {"enum": ["", *(outcome.value for outcome in Outcome)]}),
        _query("type", {"enum": ["", *sorted(KINDS)]}),
        *(_query(name, {"type": "string", "maxLength": 25}, moment) for name in ("from", "to")),
        *_paging(),
    ]


def _paging() -> list[dict[str, Any]]:
    # As a form sends it: what is empty was not filled in.
    after, limit = ({"anyOf": [{"const": ""}, wanted]} for wanted in (_WHOLE, _LIMIT))
    return [
        _query("after", after, "Only entries before this index: “next” of the page before"),
        _query("limit", {**limit, "default": PAGE}),
    ]


def _json() -> dict[str, Any]:
    return {"application/json": {"schema": {"type": "object"}}}


def _plain() -> dict[str, Any]:
    return {"text/plain": {"schema": TEXT}}


def _schemas() -> dict[str, Any]:
    outcome = {"enum": [outcome.value for outcome in Outcome]}
    moment = {"type": "string", "format": "date-time"}
    fact = {"type": ["string", "integer", "boolean"]}
    row = {
        "index": _WHOLE,
        "time": moment,
        "outcome": outcome,
        **dict.fromkeys(_ROW, TEXT),
        "attributes": {"type": "object", "additionalProperties": fact},
    }
    own = {
        "index": _WHOLE,
        "time": moment,
        **dict.fromkeys(("type", "says", "what", "where", "by", "client", "purpose"), TEXT),
        "outcome": outcome,
        "outcome_says": TEXT,
    }
    page = {
        "entries": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
        "total": _WHOLE,
        "more": {"type": "boolean"},
        "next": _MAYBE,
        # -1: the index cannot be written, and how much is missing is not known.
        "lag": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": -1}]},
        "damaged": {"type": "array", "items": exact({"first": _WHOLE, "end": _WHOLE})},
        "facets": {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": _WHOLE}},
    }
    changed = {
        "index": _WHOLE,
        **dict.fromkeys(("time", "type", "says", "outcome", "subject", "actor", "organisation"), TEXT),
        "attributes": {"type": "object"},
        "sealed": {"anyOf": [{"type": "object", "additionalProperties": TEXT}, {"type": "null"}]},
    }
    return {
        "Page": exact(page),
        "Row": exact(row),
        "OwnRecord": exact({"entries": {"type": "array", "items": exact(own)}}),
        "Changes": exact({"changes": {"type": "array", "items": exact(changed)}, "next": _MAYBE}),
        "OwnEntry": exact({"entry": {**TEXT, "contentEncoding": "base64"}, "proof": TEXT}),
    }
