# SPDX-License-Identifier: Apache-2.0
"""HTTP to the console and back: officers' pages, the site's own questions, and the public log.

| who                   | what                                                                  |
| --------------------- | --------------------------------------------------------------------- |
| officers              | overview, search, entry, proof, entry bytes, entry bundles, witnesses |
| role ``app``          | search as JSON, entry bundles                                         |
| role ``sso``          | one person's own record, for “My account”                             |
| anybody               | checkpoint and hash tiles, in the format of C2SP tlog-tiles           |
| anybody               | the checkpoint that our witnesses have cosigned                       |
| anybody               | what programs may ask: ``/api/v1/openapi.json``                       |
| logs of others        | ask this site to witness them, as in C2SP tlog-witness                |
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request

from core.web import Guard, _, caller, identity, locale

from .console import Console, Hit, Page, Reader
from .errors import NoSuchEntry
from .events import KINDS
from .models import Outcome
from .openapi import description
from .search import BadFilter, Query, Row, TileAddress, parse
from .search.query import FILTERS, ZONES
from .search.words import OUTCOMES, PERSONAL, TONES, reason_words, says, tell
from .search.words import ZONES as ZONE_WORDS
from .witness import LARGEST, SIZE_TYPE, Inconsistent, Outdated, Witness
from .witness.words import STAND_TONES, STANDS

TRANSLATIONS = Path(__file__).parent / "translations"
ROLE = "security-officer"
_FOREVER = "public, max-age=31536000, immutable"
_SECONDS = "public, max-age=1"
_DIGITS = 16
_MINUTE = "%Y-%m-%dT%H:%M"


def blueprint(console: Console, guard: Guard, *, witness: Witness, assurance: int = 1) -> Blueprint:
    """Every address of the audit role; ``assurance`` is the lowest with which an officer reads."""
    made = Blueprint("audit", __name__, template_folder="templates")
    made.app_template_global(name="tell")(tell)
    made.app_template_global(name="says")(says)
    made.app_template_global(name="reason_words")(reason_words)
    made.app_template_global(name="named")(_named)
    made.app_template_filter(name="moment")(_moment)
    made.app_template_filter(name="epoch_moment")(lambda seconds: _moment(datetime.fromtimestamp(seconds, UTC)))
    _officers(made, console, guard, assurance)
    _downloads(made, console, guard, assurance)
    _peers(made, console, guard)
    _public(made, console, guard)
    _witness(made, console, witness, guard, assurance)
    return made


def _officers(made: Blueprint, console: Console, guard: Guard, assurance: int) -> None:
    @made.get("/")
    @guard.person(ROLE, assurance=assurance)
    def overview() -> str:
        parse(_parameters())
        shape, lag = console.overview(_officer())
        return render_template(
            "audit/overview.html", shape=shape, lag=lag, quorum=console.quorum(), **_choices({}, Query())
        )

    @made.get("/search")
    @guard.person(ROLE, assurance=assurance)
    def search() -> str:
        given = _parameters()
        query = parse(given)
        page = console.search(_officer(), query)
        return render_template(
            "audit/search.html",
            page=page,
            older=_address("audit.search", given, after=page.next) if page.next is not None else None,
            newest=_address("audit.search", given) if "after" in given else None,
            as_json=_address("audit.search_json", given),
            **_choices(given, query),
        )

    @made.get("/search.json")
    @guard.person(ROLE, assurance=assurance, errors="problem")
    def search_json() -> dict[str, Any]:
        return _page_document(console.search(_officer(), parse(_parameters()), unseal=False))

    @made.get("/entries/<index>")
    @guard.person(ROLE, assurance=assurance)
    def entry(index: str) -> str:
        opened = console.open(_officer(), _index(index))
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
        number = _index(index)
        return _file(console.raw(_officer(), number), "application/json", f"entry-{number}.json")

    @made.get("/entries/<index>/entry.tlog-proof")
    @guard.person(ROLE, assurance=assurance)
    def entry_proof(index: str) -> Response:
        number = _index(index)
        proof = console.proof(_officer(), number).encode()
        return _file(proof, "text/plain; charset=utf-8", f"entry-{number}.tlog-proof")

    @made.get("/tile/entries/<path:rest>")
    @guard.person(ROLE, assurance=assurance, errors="problem")
    def bundle(rest: str) -> Response:
        return _octets(console.bundle(_officer(), TileAddress.parse("0", rest)), "private, no-store")


def _peers(made: Blueprint, console: Console, guard: Guard) -> None:
    @made.get("/api/v1/entries")
    @guard.peer("app")
    def entries() -> dict[str, Any]:
        return _page_document(console.search(Reader(role=caller()), parse(_parameters()), unseal=False))

    @made.get("/api/v1/bundles/<path:rest>")
    @guard.peer("app")
    def peer_bundle(rest: str) -> Response:
        return _octets(console.bundle(Reader(role=caller()), TileAddress.parse("0", rest)), "private, no-store")

    @made.get("/api/v1/subjects/<subject>/entries")
    @guard.peer("sso")
    def subject_entries(subject: str) -> dict[str, Any]:
        query = parse(_parameters(only=("after", "limit", "lang")))
        # The path is as strict as a filter; a subject nobody knows has an empty record.
        subject = parse({"person": [subject]}).person
        rows = console.history(Reader(role=caller()), subject, after=query.after, limit=query.limit)
        return {"entries": [_plain(row) for row in rows]}


def _public(made: Blueprint, console: Console, guard: Guard) -> None:
    @made.get("/checkpoint")
    @guard.public("the log's signed size and root; outsiders hold us to it", errors="problem")
    def checkpoint() -> Response:
        response = Response(console.checkpoint(), content_type="text/plain; charset=utf-8")
        response.headers["Cache-Control"] = _SECONDS
        return response

    @made.get("/api/v1/openapi.json")
    @guard.public("the description of an interface; what it leads to is guarded itself", errors="problem")
    def openapi() -> dict[str, Any]:
        return description()

    @made.get("/tile/<level>/<path:rest>")
    @guard.public("hash tiles hold only hashes; proofs are made of them", errors="problem")
    def tile(level: str, rest: str) -> Response:
        return _octets(console.tile(TileAddress.parse(level, rest)), _FOREVER)


def _witness(made: Blueprint, console: Console, witness: Witness, guard: Guard, assurance: int) -> None:
    @made.get("/witnesses")
    @guard.person(ROLE, assurance=assurance)
    def witnesses() -> str:
        return render_template(
            "audit/witnesses.html", status=console.witnesses(_officer()), own=witness, stands=STANDS, told=STAND_TONES
        )

    @made.get("/witnessed")
    @guard.public("the checkpoint that outsiders have cosigned; proofs lead to it", errors="problem")
    def witnessed_note() -> Response:
        response = Response(console.witnessed(), content_type="text/plain; charset=utf-8")
        response.headers["Cache-Control"] = _SECONDS
        return response

    @made.post("/witness/add-checkpoint")
    @guard.own("the signature of a log whose key is configured here", errors="problem")
    def add_checkpoint() -> Response:
        request.max_content_length = LARGEST
        try:
            lines = witness.add_checkpoint(request.get_data(cache=False))
        except Outdated as error:
            # C2SP tlog-witness gives these two answers their form.
            return Response(f"{error.parameters['size']}\n", status=409, content_type=SIZE_TYPE)
        except Inconsistent as error:
            return Response(f"{error.detail}\n", status=422, content_type="text/plain; charset=utf-8")
        return Response(lines, content_type="text/plain; charset=utf-8")

    @made.get("/witness/<digest>/checkpoint")
    @guard.public("what this site has cosigned of a log; whoever watches that log compares it", errors="problem")
    def witnessed(digest: str) -> Response:
        response = Response(witness.latest(digest), content_type="text/plain; charset=utf-8")
        response.headers["Cache-Control"] = _SECONDS
        return response


def _officer() -> Reader:
    who = identity()
    return Reader(subject=who.subject, session=who.session, zone=who.zone, decision=who.decision)


def _parameters(*, only: tuple[str, ...] | None = None) -> dict[str, list[str]]:
    given = request.args.to_dict(flat=False)
    for name in given:
        if only is not None and name not in only:
            raise BadFilter(field=name[:40] if name.isprintable() else "?")
    return given


def _index(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS or (text != "0" and text[0] == "0"):
        raise NoSuchEntry
    return int(text)


def _choices(given: Mapping[str, list[str]], query: Query) -> dict[str, Any]:
    """What the filter form offers, and what it shows as chosen."""
    # A time field of a browser takes minutes only; the last minute of a span is inside it.
    times = {
        "from": query.since.strftime(_MINUTE) if query.since else "",
        "to": (query.until - timedelta(seconds=1)).strftime(_MINUTE) if query.until else "",
    }
    return {
        "chosen": {name: given.get(name, [""])[0].strip() for name in FILTERS} | times,
        "kinds": sorted((_(kind.says), name) for name, kind in KINDS.items()),
        "zones_words": ZONE_WORDS,
        "zones": [(name, ZONE_WORDS[name]) for name in ZONES],
        "outcomes": [(outcome.value, OUTCOMES[outcome]) for outcome in Outcome],
        "tones": {outcome.value: TONES[outcome] for outcome in Outcome},
    }


def _address(endpoint: str, given: Mapping[str, list[str]], **more: int) -> str:
    path = {"audit.search": "/search", "audit.search_json": "/search.json"}[endpoint]
    kept = {name: found[0] for name, found in given.items() if found[0].strip() and name not in ("after", "lang")}
    query = urlencode({**kept, **more})
    return f"{path}?{query}" if query else path


def _page_document(page: Page) -> dict[str, Any]:
    return {
        "entries": [_document(hit) for hit in page.hits],
        "total": page.total,
        "more": page.more,
        "next": page.next,
        "lag": page.lag,
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
    }


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _named(sealed: Mapping[str, str]) -> str:
    """The person's name in the reader's script, if both are known."""
    order = ("name_zh", "name") if locale() == "zh" else ("name", "name_zh")
    return next((sealed[field] for field in order if sealed.get(field)), "")


def _pretty(raw: bytes) -> str:
    """The entry for reading; what is downloaded are the very bytes."""
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False, indent=2)
    except ValueError:
        return raw.decode("utf-8", "replace")


def _file(content: bytes, kind: str, name: str) -> Response:
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _octets(content: bytes, caching: str) -> Response:
    response = Response(content, content_type="application/octet-stream")
    response.headers["Cache-Control"] = caching
    return response
