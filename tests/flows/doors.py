# SPDX-License-Identifier: Apache-2.0
"""Every door of the city: each endpoint's address, who may knock, and what a right request to it looks like.

`declared` reads the same list out of the components' source, so that a new endpoint without a row here is noticed.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
Face = Literal["page", "problem", "oauth", "plain", "scim"]
Takes = Literal["", "form", "json", "lines", "pdf", "der", "note", "upload", "table", "jose", "pkcs10", "csv"]

NOBODY = "00000000-0000-4000-8000-000000000000"
"""A subject that nobody has, so that what is nearly right still changes nothing."""
NO_SERIAL = "7abcdef012345678901234567890abcdef"


@dataclass(frozen=True, kw_only=True)
class Door:
    """One endpoint as it is reached through nginx, or past it by a role of the site."""

    component: str
    method: str
    # The rule as the component declares it, and what stands before it in the address.
    rule: str
    before: str = ""
    # Host label; a role's socket if ``role`` is set.
    label: str = ""
    listener: str = "external"
    role: str = ""
    face: Face = "page"
    # User name of who is logged in there.
    who: str = ""
    # Whose certificate is shown in TLS: a name among the sample city's cards.
    card: str = ""
    known: Mapping[str, str] = field(default_factory=dict)
    query: tuple[str, ...] = ()
    takes: Takes = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    # Page that holds the form, for its token.
    form_at: str = ""
    # Page at which whoever stands there logs in.
    enters: str = "/"

    @property
    def name(self) -> str:
        """As `declared` names it."""
        return f"{self.component} {self.method} {self.rule}"

    @property
    def id(self) -> str:
        """Door and visitor, for a test's name."""
        return " ".join(filter(None, (self.label or self.role, self.method, self.before + self.rule, self.card)))

    def path(self, **spoilt: str) -> str:
        """The address, with known or given values in its places."""
        path = self.before + self.rule
        for place, value in {**self.known, **spoilt}.items():
            path = path.replace(f"<{place}>", value)
        return path


FILTERS = ("person", "object", "zone", "outcome", "from", "to", "after", "limit", "kind", "organisation", "text")
OFFICER: Mapping[str, Any] = {
    "component": "audit",
    "method": "GET",
    "label": "audit",
    "listener": "management",
    "who": "wang.qiang",
}
LOG: Mapping[str, Any] = {"component": "audit", "method": "GET", "label": "log", "face": "problem"}


def _audit() -> Iterator[Door]:
    officer, filters = OFFICER, FILTERS
    yield Door(**officer, rule="/", query=("lang",))
    yield Door(**officer, rule="/search", query=filters)
    yield Door(**officer, rule="/search.json", query=filters, face="problem")
    yield Door(**officer, rule="/witnesses", query=("lang",))
    yield Door(**officer, rule="/compliance", query=("lang",))
    yield Door(**officer, rule="/compliance.pdf", query=("lang",))
    yield Door(**officer, rule="/exports", query=("lang",))
    yield Door(**officer, rule="/exports/signed/<first>.zip", known={"first": "0"})
    desk = {**officer, "method": "POST", "takes": "form", "form_at": "/retention"}
    verb = "any(pause, resume, replay, allow, forbid):verb"
    known = {"name": "nowhere", verb: "replay"}
    yield Door(**desk, rule=f"/exports/<name>/<{verb}>", known=known, fields={"first": "0"})
    yield Door(**officer, rule="/retention", query=("lang",))
    yield Door(**desk, rule="/retention/confirm", fields={})
    kept = "any(access, identity, trust):name"
    yield Door(**desk, rule=f"/retention/<{kept}>", known={kept: "access"}, fields={"days": "1"})
    yield Door(**officer, rule="/entries/<index>", known={"index": "3"})
    yield Door(**officer, rule="/entries/<index>/entry.json", known={"index": "3"})
    yield Door(**officer, rule="/entries/<index>/entry.tlog-proof", known={"index": "3"})
    yield Door(**officer, rule="/tile/entries/<path:rest>", known={"path:rest": "000"}, face="problem")
    closed = {"log": "1", "path:rest": "000"}
    yield Door(**officer, rule="/logs/<log>/tile/entries/<path:rest>", known=closed, face="problem")
    yield Door(**officer, rule="/switches", query=("lang",))
    yield Door(**officer, rule="/warrants", query=("lang",))
    yield Door(**officer, rule="/warrants/new", query=("kind", "scope", "lang"))
    yield Door(**officer, rule="/warrants/<identifier>", known={"identifier": "0" * 16}, query=("done",))
    form: dict[str, Any] = {**officer, "method": "POST", "takes": "form", "form_at": "/warrants/new"}
    # What the officer may not ask for: nearly right, and refused.
    asked = {"kind": "open", "about": "range", "which": "0-1", "purpose": "nothing in particular"}
    yield Door(**form, rule="/warrants", fields=asked)
    # Nothing of that name is there to be shut.
    yield Door(**form, rule="/switches", fields={"name": "portal=nowhere", "lasts": "1h", "purpose": "nothing at all"})
    verb = "any(approve, refuse, withdraw, act):verb"
    yield Door(
        **form, rule=f"/warrants/<identifier>/<{verb}>", known={"identifier": "0" * 16, verb: "withdraw"}, fields={}
    )


def _policies() -> Iterator[Door]:
    """The policy desk as its administrators read it; what changes something is tried by an officer who may not."""
    desk: dict[str, Any] = {**OFFICER, "component": "policies", "who": "qian.jun", "enters": "/policies"}
    draft = {"identifier": "0" * 16}
    yield Door(**desk, rule="/policies", query=("days", "done", "lang", "before"))
    yield Door(**desk, rule="/policies/versions", query=("version", "other"))
    yield Door(**desk, rule="/policies/drafts/<identifier>", known=draft, query=("file", "done"))
    yield Door(**desk, rule="/policies/drafts/<identifier>/replay", known=draft, query=("days",))
    yield Door(**desk, rule="/policies/drafts/<identifier>/statement", known=draft)
    form: dict[str, Any] = {**OFFICER, "component": "policies", "method": "POST", "takes": "form"}
    form["form_at"] = "/warrants/new"
    yield Door(**form, rule="/policies/drafts", fields={"title": "a", "base": ""})
    yield Door(**form, rule="/policies/trial/end", fields={})
    for verb, fields in {
        "file": {"version": "1", "name": "a.cedar", "text": "a"},
        "propose": {"version": "1", "minutes": "60", "without_shadow": "INC-1"},
        "withdraw": {"version": "1"},
        "sign": {"version": "1", "signature": "a"},
    }.items():
        yield Door(**form, rule=f"/policies/drafts/<identifier>/{verb}", known=draft, fields=fields)
    act = "any(try, release):act"
    yield Door(
        **form, rule=f"/policies/drafts/<identifier>/<{act}>", known={**draft, act: "try"}, fields={"version": "1"}
    )
    clerk: dict[str, Any] = {"component": "policies", "role": "audit", "face": "problem", "who": "app"}
    yield Door(**clerk, method="GET", rule="/api/v1/policy-orders")
    yield Door(
        **clerk,
        method="POST",
        rule="/api/v1/policy-orders/<int:number>",
        known={"int:number": "999999"},
        takes="json",
        fields={"done": "no", "told": "a"},
    )


def _log() -> Iterator[Door]:
    """The record for programs: the site's own roles, and everybody."""
    filters = FILTERS
    role: dict[str, Any] = {"component": "audit", "method": "GET", "role": "audit", "face": "problem"}
    yield Door(**role, rule="/api/v1/entries", who="app", query=filters)
    yield Door(**role, rule="/api/v1/bundles/<path:rest>", who="app", known={"path:rest": "000"})
    yield Door(
        **role,
        rule="/api/v1/subjects/<subject>/entries",
        who="sso",
        known={"subject": NOBODY},
        query=("after", "limit", "lang"),
    )
    yield Door(
        **role,
        rule="/api/v1/subjects/<subject>/entries/<index>",
        who="sso",
        known={"subject": NOBODY, "index": "3"},
    )
    entry = {"kind": "subject", "identifier": NOBODY}
    changes = {**role, "who": "directory", "query": ("after", "limit", "lang", "officer", "open")}
    yield Door(**changes, rule="/api/v1/changes/<kind>/<identifier>", known=entry)
    yield Door(**changes, rule="/api/v1/changes/<kind>/<identifier>/<index>", known={**entry, "index": "3"})
    sent = {**role, "method": "POST", "who": "app"}
    yield Door(**sent, rule="/api/v1/events", takes="lines", query=("wait",))
    # Entries that no log has.
    yield Door(**sent, rule="/api/v1/evidence", takes="json", fields={"indices": "none", "purpose": "none"})
    public = LOG
    yield Door(**public, rule="/checkpoint")
    yield Door(**public, rule="/api/v1/openapi.json")
    yield Door(**public, rule="/witnessed")
    yield Door(**public, rule="/pruned")
    yield Door(**public, rule="/witness/<digest>/checkpoint", known={"digest": "00" * 32})
    yield Door(**{**public, "method": "POST"}, rule="/witness/add-checkpoint", takes="note")
    tile = {"level": "0", "path:rest": "000"}
    yield Door(**public, rule="/tile/<level>/<path:rest>", known=tile)
    yield Door(**public, rule="/logs.txt")
    yield Door(**public, rule="/logs/<log>/checkpoint", known={"log": "1"})
    yield Door(**public, rule="/logs/<log>/tile/<level>/<path:rest>", known={"log": "1", **tile})
    yield Door(**public, rule="/logs/<log>/pruned", known={"log": "1"})
    yield Door(**public, rule="/mirror/checkpoint")
    yield Door(**public, rule="/mirror/pruned")
    yield Door(**public, rule="/mirror/tile/<level>/<path:rest>", known=tile)
    yield Door(**public, rule="/mirror/tile/entries/<path:rest>", known={"path:rest": "000"})
    yield Door(**public, rule="/mirror/logs.txt")
    yield Door(**public, rule="/mirror/logs/<log>/checkpoint", known={"log": "1"})
    yield Door(**public, rule="/mirror/logs/<log>/pruned", known={"log": "1"})
    yield Door(**public, rule="/mirror/logs/<log>/tile/<level>/<path:rest>", known={"log": "1", **tile})
    yield Door(**public, rule="/mirror/logs/<log>/tile/entries/<path:rest>", known={"log": "1", "path:rest": "000"})


def _audit_desks() -> Iterator[Door]:
    """Where officers look at more than entries, and what they do there."""
    officer = OFFICER
    asked = ("type", "outcome", "from", "to", "after", "lang")
    for story in ("people", "devices", "sessions", "documents"):
        yield Door(**officer, rule=f"/{story}/<identifier>", known={"identifier": NOBODY}, query=asked)
    yield Door(**officer, rule="/views/<name>", known={"name": "remote-access"}, query=("span", *asked))
    yield Door(**officer, rule="/crossings", query=("zone", "to_zone", "span", *asked))
    yield Door(**officer, rule="/stamps", query=("before", "lang"))
    yield Door(**officer, rule="/stamps/<size>.tst", known={"size": "1"})
    yield Door(**officer, rule="/stamps/<size>.txt", known={"size": "1"})
    yield Door(**officer, rule="/rules", query=("lang",))
    yield Door(**officer, rule="/alerts", query=("state", "rule", "after", "lang"))
    nothing = {"alert": "0" * 16}
    yield Door(**officer, rule="/alerts/<alert>", known=nothing, query=("lang",))
    yield Door(**officer, rule="/alerts/<alert>/<index>.tlog-proof", known={**nothing, "index": "0"})
    yield Door(**officer, rule="/cases", query=("entry", "after", "lang"))
    yield Door(**officer, rule="/cases/<case>", known={"case": "0" * 16}, query=("lang",))
    yield Door(**officer, rule="/cases/<case>/report.json", known={"case": "0" * 16}, query=("lang",))
    yield Door(**officer, rule="/evidence", query=("scope", "lang"))
    desk: dict[str, Any] = {**officer, "method": "POST", "takes": "form", "form_at": "/cases"}
    verb = "any(acknowledge, close):verb"
    yield Door(**desk, rule=f"/alerts/<alert>/<{verb}>", known={**nothing, verb: "close"}, fields={"reason": "because"})
    # An entry that no log has: no case begins with it.
    yield Door(**desk, rule="/cases", fields={"title": "Nothing", "text": "", "entry": "9" * 15})
    step = {"version": "1", "text": "because", "to": "closed"}
    yield Door(**desk, rule="/cases/<case>/<verb>", known={"case": "0" * 16, "verb": "decisions"}, fields=step)
    yield Door(**desk, rule="/cases/<case>/report.pdf", known={"case": "0" * 16}, fields={"text": ""})
    # A question that cannot be asked is not kept.
    yield Door(**desk, rule="/searches", fields={"name": "Nothing", "query": "nothing=1"})
    yield Door(**desk, rule="/searches/<identifier>/remove", known={"identifier": "0" * 16})
    # Without the consent of a second officer.
    yield Door(**desk, rule="/evidence", fields={"scope": "entry:0", "purpose": "none", "open": "yes"})


def _ca() -> Iterator[Door]:
    desk: dict[str, Any] = {"component": "ca", "label": "ca", "listener": "management", "who": "sun.li"}
    serial = {"serial": NO_SERIAL}
    verb = "any(suspend, release, revoke):verb"
    # The side door believes nginx alone, and nginx vouches for no certificate at this host.
    for before in ("", "/direct"):
        yield Door(**desk, before=before, method="GET", rule="/", query=("q", "before"))
        yield Door(**desk, before=before, method="GET", rule="/certificates/<serial>", known=serial)
        yield Door(**desk, before=before, method="GET", rule="/certificates/<serial>.pem", known=serial)
        yield Door(
            **desk,
            before=before,
            method="POST",
            rule=f"/certificates/<serial>/<{verb}>",
            known={**serial, verb: "revoke"},
            takes="form",
            fields={"reason": "keyCompromise"},
            form_at="/issue",
        )
        yield Door(**desk, before=before, method="GET", rule="/issue")
        yield Door(**desk, before=before, method="GET", rule="/requests", query=("after", "lang"))
        request = {"identifier": "0" * 32}
        yield Door(**desk, before=before, method="GET", rule="/requests/<identifier>", known=request)
        decided = "any(prove, approve, deny):verb"
        yield Door(
            **desk,
            before=before,
            method="POST",
            rule=f"/requests/<identifier>/<{decided}>",
            known={**request, decided: "deny"},
            takes="form",
            fields={"reason": "because"},
            form_at="/issue",
        )
        yield Door(
            **desk,
            before=before,
            method="POST",
            rule="/issue",
            takes="upload",
            fields={
                "profile": "citizen",
                "subject": "nobody.at.all",
                "csr": "x",
                "evidence": "documents",
                "reference": "none",
            },
            form_at="/issue",
        )
    yield from _incidents()
    yield from _stock()
    yield from _holders()
    api: dict[str, Any] = {"component": "ca", "before": "/api/v1", "role": "ca", "who": "app", "face": "problem"}
    yield Door(
        **api,
        method="POST",
        rule="/certificates",
        takes="json",
        fields={"profile": "citizen", "csr": "MAA=", "subject": NOBODY, "actor": "", "issuer": ""},
    )
    yield Door(**api, method="GET", rule="/certificates/<serial>", known=serial)
    yield Door(**api, method="GET", rule="/certificates/<serial>/status", known=serial)
    yield Door(**api, method="GET", rule="/subjects/<subject>/certificates", known={"subject": NOBODY})
    for word in ("revoke", "suspend", "release"):
        yield Door(
            **api,
            method="POST",
            rule=f"/certificates/<serial>/{word}",
            known=serial,
            takes="json",
            fields={"reason": "keyCompromise", "actor": ""} if word == "revoke" else {"actor": ""},
        )
    # A byte short of a hash: a whole one would be blocked.
    key = {"key": "ab" * 31}
    yield Door(**api, method="POST", rule="/keys/<key>/block", known=key, takes="json", fields={"actor": ""})
    facts: dict[str, Any] = {"component": "ca", "label": "pki", "listener": "plain", "face": "problem"}
    issuer = {"issuer": "people"}
    yield Door(**facts, method="POST", rule="/ocsp/<issuer>", known=issuer, takes="der")
    yield Door(**facts, method="GET", rule="/ocsp/<issuer>/<path:encoded>", known={**issuer, "path:encoded": "MAA="})
    yield Door(**facts, method="POST", rule="/tsa/<unit>", known={"unit": "no-such-unit"}, takes="der")
    yield Door(**facts, method="GET", rule="/crl/<issuer>.crl", known=issuer)
    yield Door(**facts, method="GET", rule="/crl/<issuer>/<name>.crl", known={**issuer, "name": "1-delta"})
    yield Door(**facts, method="GET", rule="/ca/<issuer>.cer", known=issuer)
    yield Door(**{**api, "before": ""}, method="GET", rule="/api/v1/openapi.json")
    yield Door(**desk, method="GET", rule="/units")
    yield Door(**desk, method="GET", rule="/grants", query=("before",))
    form: dict[str, Any] = {**desk, "method": "POST", "takes": "form", "form_at": "/grants"}
    yield Door(**form, rule="/grants", fields={"holder": "device", "subject": NOBODY, "names": "x.city.localhost"})
    yield Door(**form, rule="/grants/<kid>/withdraw", known={"kid": "0" * 24})
    yield Door(**desk, method="GET", rule="/enrolments", query=("before",))
    form["form_at"] = "/enrolments"
    fields = {"device": NOBODY, "label": "device-client", "hosts": "", "uses": "1"}
    yield Door(**form, rule="/enrolments", fields=fields)
    yield Door(**form, rule="/enrolments/<identifier>/withdraw", known={"identifier": "0" * 24})
    yield from _many_devices(desk)
    yield from _registrars(desk)


def _many_devices(desk: Mapping[str, Any]) -> Iterator[Door]:
    """Tables of devices, at the desk and for the operator."""
    job = {"identifier": "0" * 32}
    yield Door(**desk, method="GET", rule="/bulk", query=("before",))
    yield Door(**desk, method="GET", rule="/bulk/<identifier>", known=job, query=("after",))
    for name in ("report.csv", "certificates.pem"):
        yield Door(**desk, method="GET", rule=f"/bulk/<identifier>/{name}", known=job)
    fields = {"profile": "device-client", "reference": "none"}
    form: dict[str, Any] = {**desk, "method": "POST", "form_at": "/bulk"}
    yield Door(**form, rule="/bulk", takes="table", fields=fields)
    verb = "any(approve, cancel):verb"
    known = {**job, verb: "approve"}
    yield Door(**form, rule=f"/bulk/<identifier>/<{verb}>", known=known, takes="form", fields={"digest": "0" * 64})
    api: dict[str, Any] = {"component": "ca", "before": "/api/v1", "role": "ca", "who": "app", "face": "problem"}
    yield Door(**api, method="POST", rule="/bulk", takes="csv", query=("profile", "reference", "name"))
    for rule in ("/bulk/<identifier>", "/bulk/<identifier>/report", "/bulk/<identifier>/certificates"):
        yield Door(**api, method="GET", rule=rule, known=job)


def _registrars(desk: Mapping[str, Any]) -> Iterator[Door]:
    """The same verbs for officers' programs."""
    at: dict[str, Any] = {**desk, "before": "/api/v1/ra", "face": "problem"}
    one, serial = {"identifier": "0" * 32}, {"serial": NO_SERIAL}
    yield Door(**at, method="GET", rule="/requests", query=("stage", "after"))
    yield Door(**at, method="GET", rule="/requests/<identifier>", known=one)
    asked = {"profile": "citizen", "subject": NOBODY, "csr": "MAA=", "evidence": "documents", "reference": "none"}
    post: dict[str, Any] = {**at, "method": "POST", "takes": "json"}
    yield Door(**post, rule="/requests", fields=asked)
    for verb, fields in (
        ("evidence", {"evidence": "documents", "reference": "none"}),
        ("approve", {"digest": "0" * 64}),
        ("deny", {"reason": "because"}),
        ("withdraw", {}),
    ):
        yield Door(**post, rule=f"/requests/<identifier>/{verb}", known=one, fields=fields)
    yield Door(**at, method="GET", rule="/certificates", query=("subject", "name", "before"))
    yield Door(**at, method="GET", rule="/certificates/<serial>", known=serial)
    yield Door(**at, method="GET", rule="/certificates/<serial>/chain", known=serial)
    for verb, fields in (("revoke", {"reason": "superseded"}), ("suspend", {}), ("release", {})):
        yield Door(**post, rule=f"/certificates/<serial>/{verb}", known=serial, fields=fields)
    yield Door(**at, method="GET", rule="/bulk", query=("before",))
    yield Door(**{**post, "takes": "csv"}, rule="/bulk", query=("profile", "reference", "name"))
    for rule in ("/bulk/<identifier>", "/bulk/<identifier>/report", "/bulk/<identifier>/certificates"):
        yield Door(**at, method="GET", rule=rule, known=one)
    yield Door(**at, method="GET", rule="/bulk/<identifier>/lines", known=one, query=("after",))
    yield Door(**post, rule="/bulk/<identifier>/approve", known=one, fields={"digest": "0" * 64})
    yield Door(**post, rule="/bulk/<identifier>/cancel", known=one)


def _stock() -> Iterator[Door]:
    """What was issued, for officers and their programs, and what the check of it found."""
    page: dict[str, Any] = {"component": "ca", "method": "GET", "label": "ca", "listener": "management"}
    page["who"] = "sun.li"
    api = {**page, "before": "/api/v1", "face": "problem"}
    serial, holder, form = {"serial": NO_SERIAL}, {"subject": NOBODY}, {"any(csv, jsonl):form": "csv"}
    asked = ("holder", "name", "serial", "profile", "issuer", "state", "key", "issued_from", "expires_from", "after")
    for at in (page, api):
        yield Door(**at, rule="/inventory", query=asked)
        yield Door(**at, rule="/inventory/export.<any(csv, jsonl):form>", known=form, query=asked[:2])
        yield Door(**at, rule="/overview", query=("lang",))
    yield Door(**page, rule="/overview/notices", query=("state", "before", "lang"))
    yield Door(**api, rule="/inventory/<serial>", known=serial)
    yield Door(**page, rule="/inventory/certificates/<serial>", known=serial)
    yield Door(**page, rule="/inventory/holders", query=("who",))
    yield Door(**page, rule="/inventory/holders/<subject>", known=holder, query=("after", "devices"))
    yield Door(**api, rule="/holders/<subject>", known=holder, query=("after", "devices"))
    yield Door(**page, rule="/checks", query=("after",))
    yield Door(**api, rule="/findings", query=("after",))
    # What the role itself asks: the operator's command.
    role: dict[str, Any] = {"component": "ca", "before": "/api/v1", "role": "ca", "who": "app", "face": "problem"}
    yield Door(**role, method="GET", rule="/checks")
    yield Door(**role, method="POST", rule="/checks", takes="json")


def _incidents() -> Iterator[Door]:
    """Many certificates at once; what is nearly right here tells holders nothing, and is refused for that."""
    desk: dict[str, Any] = {"component": "ca", "label": "ca", "listener": "management", "who": "sun.li"}
    unknown, verb = {"identifier": "0" * 32}, "any(propose, approve, withdraw, pause, resume, stop):verb"
    for before in ("", "/direct"):
        at = {**desk, "before": before}
        yield Door(**at, method="GET", rule="/incidents", query=("before", "lang"))
        yield Door(**at, method="GET", rule="/incidents/new", query=("lang",))
        yield Door(**at, method="GET", rule="/incidents/<identifier>", known=unknown, query=("after",))
        yield Door(**at, method="GET", rule="/incidents/<identifier>.csv", known=unknown)
        form: dict[str, Any] = {**at, "method": "POST", "form_at": "/incidents/new"}
        fields = {"act": "burn", "reason": "superseded", "holder": NOBODY, "keys": "", "since": "", "text": ""}
        yield Door(**form, rule="/incidents", takes="upload", fields=fields)
        known = {**unknown, verb: "approve"}
        yield Door(
            **form, rule=f"/incidents/<identifier>/<{verb}>", known=known, takes="form", fields={"digest": "0" * 64}
        )
    told: dict[str, Any] = {"component": "ca", "label": "acme", "before": "/notices", "method": "GET"}
    yield Door(**told, rule="/<identifier>", known=unknown, query=("lang",))
    api: dict[str, Any] = {"component": "ca", "before": "/api/v1/incidents", "role": "ca", "who": "app"}
    registrar: dict[str, Any] = {**desk, "before": "/api/v1/ra/incidents"}
    one, digest = {"incident": "0" * 32}, {"digest": "0" * 64}
    plan = {"act": "burn", "reason": "superseded", "holder": NOBODY, "keys": "", "text": ""}
    for programs in ({**api, "face": "problem"}, {**registrar, "face": "problem"}):
        yield Door(**programs, method="GET", rule="", query=("before",))
        yield Door(**programs, method="POST", rule="", takes="json", fields=plan)
        yield Door(**programs, method="GET", rule="/<incident>", known=one)
        yield Door(**programs, method="GET", rule="/<incident>/certificates", known=one, query=("after",))
        for word, sent in (("propose", digest), ("pause", {}), ("resume", {}), ("stop", {"why": ""})):
            yield Door(**programs, method="POST", rule=f"/<incident>/{word}", known=one, takes="json", fields=sent)
        yield Door(**programs, method="POST", rule="/<incident>/withdraw", known=one, takes="json", fields={"why": ""})
    agree: dict[str, Any] = {**registrar, "face": "problem", "method": "POST", "takes": "json"}
    yield Door(**agree, rule="/<incident>/approve", known=one, fields=digest)


def _acme() -> Iterator[Door]:
    """For machines, whose requests are signed; what is nearly right here is signed by nobody."""
    fact: dict[str, Any] = {"component": "ca", "label": "acme", "before": "/acme", "face": "problem", "method": "GET"}
    yield Door(**fact, rule="/directory")
    yield Door(**fact, rule="/new-nonce")
    yield Door(**fact, rule="/renewal-info/<certificate>", known={"certificate": "AAAA.AQ"})
    header = "eyJhbGciOiJFUzI1NiIsImtpZCI6IngiLCJub25jZSI6IngiLCJ1cmwiOiJ4In0"
    fields = {"protected": header, "payload": "", "signature": "AAAA"}
    signed: dict[str, Any] = {**fact, "method": "POST", "takes": "jose", "fields": fields}
    for rule in ("/new-account", "/key-change", "/new-order", "/new-authz", "/revoke-cert"):
        yield Door(**signed, rule=rule)
    name = "0" * 24
    yield Door(**signed, rule="/account/<account>", known={"account": name})
    yield Door(**signed, rule="/account/<account>/orders", known={"account": name}, query=("cursor",))
    yield Door(**signed, rule="/order/<order>", known={"order": name})
    yield Door(**signed, rule="/order/<order>/finalize", known={"order": name})
    yield Door(**signed, rule="/authz/<authorization>", known={"authorization": name})
    yield Door(**signed, rule="/chall/<challenge>", known={"challenge": name})
    yield Door(**signed, rule="/cert/<serial>", known={"serial": NO_SERIAL})
    yield Door(**signed, rule="/cert/<serial>/<int:which>", known={"serial": NO_SERIAL, "int:which": "1"})


def _holders() -> Iterator[Door]:
    """Where people ask for certificates and look after their own."""
    at: dict[str, Any] = {"component": "ca", "label": "certificates", "who": "zhang.min"}
    request, serial = {"identifier": "0" * 32}, {"serial": NO_SERIAL}
    for rule, known in (
        ("/my/", {}),
        ("/my/ask", {}),
        ("/my/keys.js", {}),
        ("/my/requests/<identifier>", request),
        ("/my/certificates/<serial>", serial),
        ("/my/certificates/<serial>.pem", serial),
    ):
        yield Door(**at, method="GET", rule=rule, known=known, query=("lang",))
    form: dict[str, Any] = {**at, "method": "POST", "takes": "form", "form_at": "/my/ask"}
    yield Door(**form, rule="/my/requests/<identifier>/withdraw", known=request)
    verb = "any(suspend, revoke):verb"
    yield Door(**form, rule=f"/my/certificates/<serial>/<{verb}>", known={**serial, verb: "suspend"})
    asked = {"offer": "nothing", "csr": "x"}
    yield Door(**{**form, "takes": "upload"}, rule="/my/requests", fields=asked)
    api: dict[str, Any] = {**at, "face": "problem"}
    for rule, known in (
        ("/api/v1/my/offers", {}),
        ("/api/v1/my/requests", {}),
        ("/api/v1/my/requests/<identifier>", request),
    ):
        yield Door(**api, method="GET", rule=rule, known=known)
    verbs: dict[str, Any] = {**api, "method": "POST", "takes": "json"}
    yield Door(**verbs, rule="/api/v1/my/requests", fields={"offer": "nothing", "csr": "MAA="})
    yield Door(**verbs, rule="/api/v1/my/requests/<identifier>/withdraw", known=request)


def _est() -> Iterator[Door]:
    """For devices, of which none is there."""
    label = {"label": "device-client"}
    fact: dict[str, Any] = {"component": "ca", "label": "est", "before": "/.well-known/est", "face": "plain"}
    for name in ("cacerts", "csrattrs"):
        yield Door(**fact, method="GET", rule=f"/{name}")
        yield Door(**fact, method="GET", rule=f"/<label>/{name}", known=label)
    for name in ("simpleenroll", "simplereenroll", "serverkeygen"):
        yield Door(**fact, method="POST", rule=f"/{name}", takes="pkcs10")
        yield Door(**fact, method="POST", rule=f"/<label>/{name}", known=label, takes="pkcs10")


def _contractors(desk: dict[str, Any]) -> Iterator[Door]:
    yield Door(**desk, method="GET", rule="/contractors", query=("done",))
    engaged = {"username": "nobody.here", "role": "contractor-tax", "until": "2030-01-01", "reason": "x"}
    yield Door(**desk, method="POST", rule="/contractors", takes="form", fields=engaged, form_at="/contractors")
    contract = {"identifier": NOBODY}
    for verb, fields in (("approve", {}), ("refuse", {"reason": "because"})):
        rule = f"/contractors/<identifier>/{verb}"
        yield Door(
            **desk, method="POST", rule=rule, known=contract, takes="form", fields=fields, form_at="/contractors"
        )
    yield Door(
        **desk,
        method="POST",
        rule="/contractors/people/<subject>/end",
        known={"subject": NOBODY},
        takes="form",
        fields={"role": "contractor-tax", "reason": "because"},
        form_at="/contractors",
    )


def _directory() -> Iterator[Door]:
    copies: dict[str, Any] = {"component": "directory", "before": "/api/v1", "role": "directory", "who": "ca"}
    copies |= {"method": "PUT", "face": "problem", "takes": "json"}
    entry = {"kind": "people", "identifier": NOBODY}
    yield Door(**copies, rule="/published/<kind>/<identifier>", known=entry, fields={"certificates": "MAA="})
    # What is nearly right is no list, so that nothing is entered.
    yield Door(**copies, rule="/authorities/<name>", known={"name": "people"}, fields={"list": "MAA="})
    own: dict[str, Any] = {**copies, "before": "/api/v1/own", "who": "sso", "known": {"subject": NOBODY}}
    yield Door(**{**own, "method": "GET", "takes": ""}, rule="/<subject>")
    yield Door(**own, rule="/<subject>", fields={"mail": "", "telephone": "", "language": ""})
    yield Door(**own, rule="/<subject>/password", fields={"current": "x", "password": "x"})
    yield Door(**own, rule="/<subject>/password/recovered", fields={"password": "x"})
    yield Door(**{**own, "method": "GET", "takes": ""}, rule="/<subject>/mandates")
    asked = {"holder": NOBODY, "organisation": "", "scope": "tax"}
    given = {**asked, "until": "2036-01-01", "reason": ""}
    yield Door(**{**own, "method": "POST"}, rule="/<subject>/mandates", fields=given)
    ended = {**asked, "principal": NOBODY}
    yield Door(**{**own, "method": "POST"}, rule="/<subject>/mandates/end", fields=ended)
    numbers = {**copies, "method": "GET", "takes": ""}
    yield Door(**numbers, rule="/organisations/<identifier>/code", known={"identifier": "no-such-agency"})
    desk: dict[str, Any] = {"component": "directory", "label": "directory", "listener": "management", "who": "zhao.lei"}
    person = {"subject": NOBODY}
    yield Door(**desk, method="GET", rule="/", query=("q", "after"))
    yield Door(**desk, method="GET", rule="/people/<subject>", known=person, query=("done",))
    for verb, fields in (
        ("disable", {"reason": "because"}),
        ("enable", {"reason": "because"}),
        ("roles/grant", {"role": "ra-officer", "reason": "x"}),
        ("roles/withdraw", {"role": "ra-officer"}),
    ):
        yield Door(
            **desk,
            method="POST",
            rule=f"/people/<subject>/{verb}",
            known=person,
            takes="form",
            fields=fields,
            form_at="/import",
        )
    yield from _powers(desk)
    yield Door(**desk, method="GET", rule="/people/change", query=("q",))
    change = {"step": "look", "act": "disable", "names": "nobody.here"}
    yield Door(**desk, method="POST", rule="/people/change", takes="form", fields=change, form_at="/people/change")
    yield Door(**desk, method="GET", rule="/people/suggest", query=("q",))
    yield Door(**desk, method="GET", rule="/suggest.js")
    yield from _scim(desk)
    yield Door(**desk, method="GET", rule="/organisations", query=("q", "after"))
    yield Door(**desk, method="GET", rule="/devices", query=("q", "after", "done"))
    yield Door(
        **desk,
        method="POST",
        rule="/devices/<identifier>/<verb>",
        known={"identifier": "no-such-device", "verb": "disable"},
        takes="form",
        form_at="/import",
    )
    yield from _contractors(desk)
    yield Door(**desk, method="GET", rule="/import")
    yield Door(**desk, method="POST", rule="/import", takes="table", form_at="/import")
    yield Door(**desk, method="GET", rule="/software", query=("done",))
    yield Door(
        **desk,
        method="POST",
        rule="/software",
        takes="form",
        fields={"device": "no-such-device", "right": "people", "until": "2030-01-01", "reason": "because"},
        form_at="/import",
    )
    gone = {"device": "no-such-device"}
    yield Door(
        **desk,
        method="POST",
        rule="/software/<device>/rotate",
        known=gone,
        takes="form",
        fields={"to": "no-such-device", "last": "2030-01-01", "reason": "because"},
        form_at="/import",
    )
    yield Door(
        **desk,
        method="POST",
        rule="/software/<device>/close",
        known=gone,
        takes="form",
        fields={"reason": "because"},
        form_at="/import",
    )
    known = {"name": "no-such-portal"}
    yield Door(
        **desk, method="POST", rule="/software/portals/<name>/again", known=known, takes="form", form_at="/import"
    )
    yield Door(
        **desk,
        method="POST",
        rule="/software/programs",
        takes="form",
        fields={
            "client": "x",
            "doing": "read",
            "organisations": "no-such-agency",
            "until": "2030-01-01",
            "reason": "x",
        },
        form_at="/import",
    )
    yield Door(
        **desk,
        method="POST",
        rule="/software/programs/<client>/end",
        known={"client": "no-such-program"},
        takes="form",
        fields={"reason": "because"},
        form_at="/import",
    )
    yield Door(**desk, method="GET", rule="/unrecorded", query=("done",))
    number = {"int:number": "999999"}
    yield Door(
        **desk, method="POST", rule="/unrecorded/<int:number>/undo", known=number, takes="form", form_at="/import"
    )
    yield Door(
        **desk,
        method="POST",
        rule="/unrecorded/<int:number>/keep",
        known=number,
        takes="form",
        fields={"reason": "because"},
        form_at="/import",
    )


def _governing(desk: Mapping[str, Any], form: Mapping[str, Any], why: Mapping[str, str]) -> Iterator[Door]:
    """Reviews, rules, proofing and what is entered one by one; about nothing, so that nothing is begun."""
    person, agency, none = {"subject": NOBODY}, {"identifier": "no-such-agency"}, {"identifier": NOBODY}
    for rule in ("/reviews", "/duties", "/catalogue"):
        yield Door(**desk, method="GET", rule=rule, query=("done",))
    yield Door(**desk, method="GET", rule="/reviews/mine", query=("done", "after"))
    yield Door(**desk, method="GET", rule="/reviews/<identifier>", known=none, query=("done", "after"))
    yield Door(**desk, method="GET", rule="/reviews/<identifier>/report", known=none)
    yield Door(**desk, method="GET", rule="/proofing", query=("done", "after", "level"))
    yield Door(**desk, method="GET", rule="/people/<subject>/proofing", known=person, query=("done",))
    begun = {"name": "x", "scope": "role", "of": "no-such-role", "due": "2099-01-01", "owner": "nobody"}
    yield Door(**form, rule="/reviews", fields={**begun, "undecided": "escalate", "heads": "", **why})
    entry = {"kind": "person", "identifier": NOBODY}
    yield Door(**desk, method="GET", rule="/history/<kind>/<identifier>", known=entry, query=("after",))
    change = {**entry, "int:index": "999999", "part": "entry.json"}
    yield Door(**desk, method="GET", rule="/history/<kind>/<identifier>/<int:index>/<part>", known=change)
    item = {"int:position": "999999", "verb": "confirm"}
    yield Door(**form, rule="/reviews/items/<int:position>/<verb>", known=item, fields=why)
    yield Door(**form, rule="/duties", fields={"name": "x", "role": "no-such-role", **why})
    yield Door(**form, rule="/duties/<identifier>/remove", known=none, fields=why)
    yield Door(**form, rule="/proofing/<identifier>/agree", known=none)
    yield Door(**form, rule="/proofing/<identifier>/refuse", known=none, fields=why)
    vetted = {"level": "2", "way": "in-person", "kind": "passport", "reference": "x"}
    yield Door(**form, rule="/people/<subject>/proofing", known=person, fields=vetted)
    yield Door(**form, rule="/people/<subject>/proofing/withdraw", known=person, fields=why)
    named = {"name": "no-such-thing", "title": "", "title_zh": ""}
    yield Door(**form, rule="/catalogue/roles", fields={**named, "entitlements": "nowhere/nothing"})
    yield Door(**form, rule="/catalogue/offers", fields={**named, "organisation": "no-such-agency", "portal": ""})
    code = {"credit_code": "0", "kind": "company", "identifier": "x", "parent": ""}
    yield Door(**form, rule="/catalogue/organisations", fields={"name": "x", "name_zh": "", **code})
    there = {"organisation": "no-such-agency", "owner": ""}
    yield Door(**form, rule="/catalogue/devices", fields={"name": "x", **there})
    yield Door(
        **form, rule="/organisations/<identifier>/departments/remove", known=agency, fields={"department": NOBODY}
    )
    yield Door(**form, rule="/organisations/<identifier>/posts/remove", known=agency, fields={"post": NOBODY})


def _powers(desk: Mapping[str, Any]) -> Iterator[Door]:
    """Departments, posts and grants; of nobody and nowhere, so that nothing is given."""
    person, agency = {"subject": NOBODY}, {"identifier": "no-such-agency"}
    yield Door(**desk, method="GET", rule="/people/<subject>/access", known=person, query=("done",))
    yield Door(**desk, method="GET", rule="/reach", query=("what", "after"))
    yield Door(**desk, method="GET", rule="/organisations/<identifier>", known=agency, query=("done",))
    form: dict[str, Any] = {**desk, "method": "POST", "takes": "form", "form_at": "/import"}
    days = {"since": "2026-01-01", "until": "2027-01-01", "reason": "because"}
    for verb, fields in (
        ("posts/give", {"post": NOBODY, **days}),
        ("posts/take", {"holding": NOBODY, "reason": "because"}),
        ("entitlements/grant", {"entitlement": "nowhere/nothing", "until": "2027-01-01", "reason": "because"}),
        ("grants/withdraw", {"grant": NOBODY, "reason": "because"}),
    ):
        yield Door(**form, rule=f"/people/<subject>/{verb}", known=person, fields=fields)
    named = {"name": "Nothing", "name_zh": "", "department": ""}
    yield Door(**form, rule="/organisations/<identifier>/departments", known=agency, fields=named)
    yield Door(**form, rule="/organisations/<identifier>/posts", known=agency, fields={**named, "role": ""})
    yield Door(**desk, method="GET", rule="/accounts")
    yield Door(**desk, method="GET", rule="/people/<subject>/employment", known=person, query=("done", "agency"))
    yield Door(**desk, method="GET", rule="/organisations/<identifier>/hire", known=agency)
    why = {"reason": "because"}
    for verb, fields in (
        ("preview", {"act": "leave", "last": ""}),
        ("move", {"post": NOBODY, "since": ""}),
        ("away", {"since": "", "until": ""}),
        ("leave", {"last": "2099-01-01"}),
        ("scheduled/call-off", {"scheduled": NOBODY}),
    ):
        yield Door(**form, rule=f"/people/<subject>/{verb}", known=person, fields={**fields, **why})
    hired = {"username": "nobody", "name": "Nobody", "post": NOBODY, **why}
    yield Door(**form, rule="/organisations/<identifier>/hire/preview", known=agency, fields=hired)
    yield from _governing(desk, form, why)
    yield Door(**form, rule="/organisations/<identifier>/hire", known=agency, fields=hired)
    mandate = {"scope": "tax", **why}
    yield Door(**form, rule="/people/<subject>/number", known=person, fields=why)
    yield Door(**form, rule="/people/<subject>/mandates", known=person,
               fields={**mandate, "whom": "no-such-agency", "until": "2027-01-01"})  # fmt: skip
    yield Door(**form, rule="/people/<subject>/mandates/withdraw", known=person,
               fields={**mandate, "organisation": "no-such-agency", "principal": ""})  # fmt: skip
    yield Door(**form, rule="/devices/<identifier>/state", known={"identifier": "no-such-device"},
               fields={"state": "lost", **why})  # fmt: skip
    for verb, fields in (
        ("code", {}),
        ("representatives", {"username": "nobody", "capacity": "agent", "until": "2027-01-01"}),
        ("representatives/remove", {"representative": NOBODY}),
        ("departments/move", {"department": NOBODY, "parent": ""}),
        ("posts/roles", {"post": NOBODY, "role": "case-worker", "verb": "add"}),
    ):
        yield Door(**form, rule=f"/organisations/<identifier>/{verb}", known=agency, fields={**fields, **why})


def _scim(desk: Mapping[str, Any]) -> Iterator[Door]:
    """SCIM for an administrator's program; its errors have a form of their own."""
    at: dict[str, Any] = {**desk, "before": "/scim/v2", "face": "scim"}
    person = {"subject": NOBODY}
    yield Door(**at, method="GET", rule="/Users", query=("filter", "cursor", "startIndex", "sortBy", "attributes"))
    yield Door(**at, method="POST", rule="/Users", takes="json", fields={"userName": "nobody"})
    yield Door(**at, method="GET", rule="/Users/<subject>", known=person)
    yield Door(**at, method="PATCH", rule="/Users/<subject>", known=person, takes="json", fields={"Operations": "x"})
    yield Door(**at, method="PUT", rule="/Users/<subject>", known=person, takes="json", fields={"userName": "nobody"})
    yield Door(**at, method="DELETE", rule="/Users/<subject>", known=person)
    group = {"name": "no-such-role"}
    yield Door(**at, method="GET", rule="/Groups", query=("filter", "attributes"))
    yield Door(**at, method="POST", rule="/Groups", takes="json", fields={"members": "x"})
    yield Door(**at, method="GET", rule="/Groups/<name>", known=group)
    yield Door(**at, method="PATCH", rule="/Groups/<name>", known=group, takes="json", fields={"Operations": "x"})
    yield Door(**at, method="PUT", rule="/Groups/<name>", known=group, takes="json", fields={"members": "x"})
    yield Door(**at, method="DELETE", rule="/Groups/<name>", known=group)
    yield Door(**at, method="POST", rule="/Bulk", takes="json", fields={"Operations": "x"})
    yield Door(**at, method="PATCH", rule="/Me", takes="json", fields={"Operations": "x"})
    yield Door(**at, method="PUT", rule="/Me", takes="json", fields={"schemas": "x"})
    yield Door(**at, method="GET", rule="/openapi.json")
    for place in ("", "/Users", "/Groups"):
        yield Door(**at, method="POST", rule=f"{place}/.search", takes="json", fields={"filter": "x"})
    for name in ("Me", "ServiceProviderConfig", "ResourceTypes", "Schemas"):
        yield Door(**at, method="GET", rule=f"/{name}")
    for name in ("ResourceTypes", "Schemas"):
        yield Door(**at, method="GET", rule=f"/{name}/<name>", known={"name": "nothing"})
    yield Door(**at, method="GET", rule="/<path:elsewhere>", known={"elsewhere": "nothing"})


def _gateway() -> Iterator[Door]:
    at: dict[str, Any] = {"component": "gateway", "before": "/.tallygate", "label": "social"}
    yield Door(**at, method="GET", rule="/login", query=("to", "acr"))
    yield Door(**at, method="GET", rule="/callback", query=("code", "state", "iss", "error"))
    yield Door(**at, method="GET", rule="/keys")
    yield Door(**at, method="GET", rule="/logout")
    yield Door(**at, method="POST", rule="/logout", takes="form", form_at="/.tallygate/logout")
    # Not to be had from outside.
    yield Door(**at, method="GET", rule="/denied", query=("lang",))
    facts: dict[str, Any] = {"component": "gateway", "label": "social", "face": "problem"}
    yield Door(**facts, method="GET", rule="/.well-known/oauth-protected-resource")
    where = "/.well-known/oauth-protected-resource/<path:path>"
    yield Door(**facts, method="GET", rule=where, known={"path:path": "api"})
    point: dict[str, Any] = {"component": "gateway", "label": "pdp", "face": "plain"}
    yield Door(**point, method="GET", rule="/.well-known/authzen-configuration")
    yield Door(**point, method="GET", rule="/access/v1/openapi.json")
    for rule in ("evaluation", "evaluations", "search/subject", "search/resource", "search/action"):
        yield Door(**point, method="POST", rule=f"/access/v1/{rule}", takes="json")


def _portals() -> Iterator[Door]:
    at: dict[str, Any] = {"component": "portals", "method": "GET"}
    for label, listener, who in (("tax", "external", "zhang.min"), ("documents", "internal", "li.na")):
        host: dict[str, Any] = {**at, "label": label, "listener": listener, "who": who, "enters": "/me"}
        yield Door(**host, rule="/", query=("lang",))
        yield Door(**host, rule="/me")
        yield Door(**host, rule="/callback", query=("code", "state", "error"))
        yield Door(**host, rule="/logout")
        yield Door(**host, rule="/api/v1/me", face="problem")
        if label == "tax":
            yield Door(**host, rule="/queue", query=("lang",))
            yield Door(**host, rule="/queue/display.js")
    yield Door(**host, rule="/documents/<name>.pdf", known={"name": "1"})
    button = {**host, "method": "POST", "takes": "form", "form_at": "/me"}
    yield Door(**button, rule="/documents/<name>/seal", known={"name": "1"})
    told: dict[str, Any] = {
        "component": "portals", "label": "office-accounts", "listener": "internal", "before": "/scim/v2",
        "face": "scim",
    }  # fmt: skip
    kind = {"any(Users, Groups):kind": "Users"}
    all_of: dict[str, Any] = {**told, "rule": "/<any(Users, Groups):kind>", "known": kind}
    sent: dict[str, Any] = {"takes": "json", "fields": {"userName": "x"}}
    one: dict[str, Any] = {
        **told,
        "rule": "/<any(Users, Groups):kind>/<identifier>",
        "known": {**kind, "identifier": NOBODY},
    }
    yield Door(**all_of, method="GET", query=("filter", "count"))
    yield Door(**all_of, **sent, method="POST")
    yield Door(**one, method="GET")
    yield Door(**one, **sent, method="PUT")
    yield Door(**one, **sent, method="PATCH")
    # Nobody, a device, and a person who is none.
    for card in ("", "device", "li.na"):
        yield Door(**at, label="devices", rule="/api/device/v1/me", face="problem", card=card)


def _signatures() -> Iterator[Door]:
    at: dict[str, Any] = {"component": "signatures", "label": "verify"}
    rest: dict[str, Any] = {**at, "before": "", "face": "problem"}
    yield Door(**at, method="GET", rule="/", query=("lang",))
    yield Door(**at, method="POST", rule="/", takes="upload", fields={"tolerant": "yes"}, form_at="/")
    for rule in ("/compare", "/revision"):
        yield Door(**at, method="POST", rule=rule, takes="upload", form_at="/")
    yield Door(**at, method="POST", rule="/report", takes="form", fields={"kind": "xml", "seal": "0"}, form_at="/")
    yield Door(**rest, method="POST", rule="/api/v1/verify", takes="pdf", query=("profile",))
    yield Door(**rest, method="POST", rule="/api/v1/signed-revision", takes="pdf", query=("signature",))
    yield Door(**rest, method="GET", rule="/api/v1/openapi.json")
    peer: dict[str, Any] = {
        "component": "signatures",
        "role": "signatures",
        "who": "app",
        "face": "problem",
        "method": "POST",
    }
    orders = ("organisation", "actor", "assurance", "zone", "session")
    yield Door(**peer, rule="/api/v1/seal", takes="pdf", query=orders)
    yield Door(**peer, rule="/api/v1/detached", takes="pdf", query=orders)
    asked = {**peer, "method": "GET"}
    yield Door(**asked, rule="/api/v1/register", query=("organisation", "year"))
    yield Door(**peer, rule="/api/v1/seals", takes="json", fields={"organisation": "no-such-organisation"})
    yield Door(**peer, rule="/api/v1/keepers", takes="json", fields={"organisation": "no-such-organisation"})
    yield from _agencies(peer)
    mine: dict[str, Any] = {"component": "signatures", "label": "sign", "who": "li.na"}
    kept = {"identifier": "0" * 32}
    yield Door(**mine, method="GET", rule="/my/", query=("lang",))
    yield Door(**mine, method="GET", rule="/my/documents/<identifier>", known=kept, query=("lang", "page"))
    yield Door(**mine, method="GET", rule="/my/documents/<identifier>/file", known=kept)
    where = ("page", "size", "left", "up", "at.x", "at.y", "field", "code")
    yield Door(**mine, method="GET", rule="/my/documents/<identifier>/place", known=kept, query=where)
    frame = ("page", "size", "x", "y", "width", "height")
    yield Door(**mine, method="GET", rule="/my/documents/<identifier>/picture", known=kept, query=frame)
    form: dict[str, Any] = {**mine, "method": "POST", "form_at": "/my/"}
    yield Door(**mine, method="GET", rule="/my/papers", query=("lang",))
    yield Door(**mine, method="GET", rule="/my/papers/<identifier>", known=kept, query=("lang",))
    yield Door(**mine, method="GET", rule="/my/papers/<identifier>/file", known=kept)
    yield Door(**mine, method="GET", rule="/my/register", query=("organisation", "year"))
    yield from _orders(mine, form, kept)
    yield from _kept_long(mine, form, kept)
    yield Door(**form, rule="/my/papers", takes="form")
    yield Door(**form, rule="/my/papers/<identifier>/<step>", takes="form", known={**kept, "step": "seal"})
    yield Door(**form, rule="/my/documents/<identifier>/seal", takes="form", known=kept)
    yield Door(**form, rule="/my/documents", takes="upload")
    yield Door(**form, rule="/my/documents/<identifier>/remove", takes="form", known=kept)
    yield Door(**form, rule="/my/sign", takes="form", fields={"document": "0" * 32})
    yield Door(**mine, method="GET", rule="/my/callback", query=("state", "code", "iss", "error"))
    yield Door(**form, rule="/my/certificate", takes="form", fields={"agree": "no"})
    yield Door(**form, rule="/my/certificate/end", takes="form")


def _kept_long(mine: Mapping[str, Any], form: Mapping[str, Any], kept: Mapping[str, str]) -> Iterator[Door]:
    """Documents that are sealed together, and the archive."""
    yield Door(**mine, method="GET", rule="/my/batches", query=("lang",))
    yield Door(**mine, method="GET", rule="/my/batches/<identifier>", known=kept, query=("after", "lang"))
    yield Door(**{**mine, "face": "problem"}, method="GET", rule="/my/batches/<identifier>/far", known=kept)
    yield Door(**mine, method="GET", rule="/my/batches/<identifier>/results.zip", known=kept)
    yield Door(**form, rule="/my/batches/<identifier>/<step>", takes="form", known={**kept, "step": "stop"})
    yield Door(**mine, method="GET", rule="/my/batch.js")
    yield Door(**mine, method="GET", rule="/my/archive", query=("organisation", "before", "lang"))
    yield Door(**form, rule="/my/archive", takes="form", fields={"document": "0" * 32, "organisation": "nobody"})
    yield Door(**mine, method="GET", rule="/my/archive/<identifier>", known=kept, query=("lang",))
    yield Door(**mine, method="GET", rule="/my/archive/<identifier>/document.zip", known=kept)


def _orders(mine: Mapping[str, Any], form: Mapping[str, Any], kept: Mapping[str, str]) -> Iterator[Door]:
    """Orders that wait for a second keeper, and who the keepers are."""
    yield Door(**mine, method="GET", rule="/my/seals", query=("lang",))
    yield Door(
        **mine, method="GET", rule="/my/orders/<identifier>", known=kept, query=("page", "document", "after", "lang")
    )
    yield Door(**mine, method="GET", rule="/my/orders/<identifier>/picture", known=kept, query=("page", "document"))
    yield Door(**mine, method="GET", rule="/my/orders/<identifier>/file", known=kept)
    yield Door(**mine, method="GET", rule="/my/orders/<identifier>/document", known=kept)
    refused = {**kept, "step": "refuse"}
    yield Door(**form, rule="/my/orders/<identifier>/<step>", takes="form", known=refused)
    taken_back = {**kept, "step": "withdraw"}
    yield Door(**form, rule="/my/seals/changes/<identifier>/<step>", takes="form", known=taken_back)
    proposal = {"act": "two"}
    at_nobody = {"organisation": "no-such-organisation"}
    yield Door(**form, rule="/my/seals/<organisation>/changes", takes="form", known=at_nobody, fields=proposal)


def _agencies(peer: Mapping[str, Any]) -> Iterator[Door]:
    """For agencies' programs, where a person gets nothing; and for the operator's commands."""
    program: dict[str, Any] = {"component": "signatures", "label": "sign", "who": "li.na", "face": "problem"}
    batch = {"batch": "0" * 32}
    document = {**batch, "name": "letter.pdf"}
    confirmed = {"count": "x", "digest": "x"}
    at = "/agencies/v1"
    yield Door(**program, method="GET", rule=f"{at}/openapi.json")
    yield Door(**program, method="POST", rule=f"{at}/verify", takes="pdf", query=("profile",))
    yield Door(**program, method="POST", rule=f"{at}/seal", takes="pdf")
    yield Door(**program, method="POST", rule=f"{at}/detached", takes="pdf", query=("name",))
    yield Door(**program, method="POST", rule=f"{at}/batches")
    yield Door(**program, method="GET", rule=f"{at}/batches/<batch>", known=batch)
    yield Door(**program, method="GET", rule=f"{at}/batches/<batch>/documents", known=batch)
    yield Door(**program, method="GET", rule=f"{at}/batches/<batch>/documents/<name>", known=document)
    yield Door(**program, method="PUT", rule=f"{at}/batches/<batch>/documents/<name>", known=document, takes="pdf")
    yield Door(
        **program, method="POST", rule=f"{at}/batches/<batch>/start", known=batch, takes="json", fields=confirmed
    )
    yield Door(**program, method="GET", rule=f"{at}/batches/<batch>/results.zip", known=batch)
    order = {"order": "0" * 32}
    yield Door(**program, method="GET", rule=f"{at}/orders/<order>", known=order)
    yield Door(**program, method="GET", rule=f"{at}/orders/<order>/file", known=order)
    yield Door(**program, method="POST", rule=f"{at}/orders/<order>/withdraw", known=order)
    kept = {"document": "0" * 32}
    yield Door(**program, method="POST", rule=f"{at}/archive", takes="pdf")
    yield Door(**program, method="GET", rule=f"{at}/archive/<document>", known=kept)
    yield Door(**program, method="GET", rule=f"{at}/archive/<document>/file", known=kept)
    yield Door(**{**peer, "method": "GET"}, rule="/api/v1/archive")
    paper = {"identifier": "0" * 32}
    begun = ("kind", "organisation", "signer", "word", "title")
    yield Door(**program, method="POST", rule=f"{at}/papers", takes="pdf", query=begun)
    yield Door(**program, method="GET", rule=f"{at}/papers/<identifier>", known=paper)
    yield Door(**program, method="GET", rule=f"{at}/papers/<identifier>/file", known=paper)
    yield Door(**program, method="POST", rule=f"{at}/papers/<identifier>/<step>", known={**paper, "step": "seal"})
    asked: dict[str, Any] = {**peer, "query": ("actor",)}
    got: dict[str, Any] = {**asked, "method": "GET"}
    put: dict[str, Any] = {**asked, "method": "PUT", "takes": "pdf"}
    yield Door(**{**peer, "method": "GET"}, rule="/api/v1/programs")
    yield Door(**peer, rule="/api/v1/programs", takes="json", fields={"client": "nobody", "doings": "x"})
    yield Door(**{**peer, "method": "DELETE"}, rule="/api/v1/programs/<client>", known={"client": "nobody"})
    yield Door(**{**asked, "query": ("actor", "organisation")}, rule="/api/v1/batches")
    yield Door(**got, rule="/api/v1/batches/<batch>", known=batch)
    yield Door(**{**peer, "query": ("actor", *begun)}, rule="/api/v1/papers", takes="pdf")
    yield Door(**got, rule="/api/v1/papers/<identifier>", known=paper)
    yield Door(**got, rule="/api/v1/papers/<identifier>/file", known=paper)
    yield Door(**asked, rule="/api/v1/papers/<identifier>/<step>", known={**paper, "step": "seal"})
    yield Door(**got, rule="/api/v1/batches/<batch>/documents", known=batch)
    yield Door(**got, rule="/api/v1/batches/<batch>/documents/<name>", known=document)
    yield Door(**put, rule="/api/v1/batches/<batch>/documents/<name>", known=document)
    yield Door(**asked, rule="/api/v1/batches/<batch>/start", known=batch, takes="json", fields=confirmed)


def _sso_devices() -> Iterator[Door]:
    at: dict[str, Any] = {"component": "sso", "label": "sso"}
    device = {"client_id": "tax", "scope": "openid", "resource": "x"}
    yield Door(**at, method="POST", rule="/device_authorization", face="oauth", takes="form", fields=device)
    own: dict[str, Any] = {**at, "face": "oauth"}
    about: dict[str, Any] = {**own, "rule": "/register/<client>", "known": {"client": "app-0"}}
    wanted = {"client_name": "x", "scope": "openid"}
    yield Door(**own, method="POST", rule="/register", takes="json", fields=wanted)
    yield Door(**about, method="GET")
    yield Door(**about, method="PUT", takes="json", fields=wanted)
    yield Door(**about, method="DELETE")
    shown: dict[str, Any] = {**at, "method": "POST", "takes": "form", "form_at": "/account", "who": "zhang.min"}
    yield Door(**at, method="GET", rule="/device", who="zhang.min")
    yield Door(**shown, rule="/device", fields={"user_code": "BCDF-GHJK"})
    yield Door(**shown, rule="/device/decide", fields={"device": "n" * 24, "choice": "deny"})


SIGN_ON_DESK: Mapping[str, Any] = {
    "component": "sso",
    "label": "accounts",
    "listener": "management",
    "who": "qian.jun",
}


def _sso_people() -> Iterator[Door]:
    """What people do about their own account; nothing of it succeeds with what is sent here."""
    at: dict[str, Any] = {"component": "sso", "label": "sso"}
    own: dict[str, Any] = {**at, "who": "zhang.min"}
    for rule in ("/account/profile", "/account/password", "/account/profile/again"):
        yield Door(**own, method="GET", rule=rule)
    form: dict[str, Any] = {**own, "method": "POST", "takes": "form", "form_at": "/account"}
    yield Door(**form, rule="/account/profile", fields={"mail": "nothing", "telephone": "x", "language": "fr"})
    yield Door(**form, rule="/account/password", fields={"current": "x", "password": "y", "again": "z"})
    yield Door(**form, rule="/account/browsers/forget", fields={"browser": "nothing"})
    yield Door(**form, rule="/account/logins/answer", fields={"login": "nothing", "mine": "no"})
    yield Door(**form, rule="/account/recovery/stop")
    yield Door(**at, method="GET", rule="/recover", query=("link",))
    yield Door(**at, method="GET", rule="/recover/stop", query=("stop",))
    asked: dict[str, Any] = {**form, "form_at": "/account"}
    yield Door(**asked, rule="/recover", fields={"username": "nobody"})
    yield Door(**asked, rule="/recover/open", fields={"link": "x" * 43})
    yield Door(**asked, rule="/recover/prove", fields={"code": "000000"})
    yield Door(**asked, rule="/recover/lose")
    yield Door(**asked, rule="/recover/password", fields={"password": "x", "again": "y"})
    yield Door(**asked, rule="/recover/stop", fields={"stop": "x"})


def _sign_on_desk() -> Iterator[Door]:
    read: dict[str, Any] = {**SIGN_ON_DESK, "method": "GET"}
    sent: dict[str, Any] = {**SIGN_ON_DESK, "method": "POST", "takes": "form", "form_at": "/admin/portals/ask"}
    none = {"identifier": "none"}
    for rule in ("/admin", "/admin/portals", "/admin/portals/ask"):
        yield Door(**read, rule=rule)
    asked = {"name": "", "contact": "x", "redirect_uri": "x", "method": "none", "jwks": "{", "scope": "x", "test": "no"}
    yield Door(**sent, rule="/admin/portals/ask", fields=asked)
    yield Door(**read, rule="/admin/portals/<identifier>", known=none)
    yield Door(**sent, rule="/admin/portals/<identifier>/decide", known=none, fields={"choice": "grant", "reason": "x"})
    yield Door(**sent, rule="/admin/portals/<identifier>/fetch", known=none)
    for rule in ("/admin/clients", "/admin/people"):
        yield Door(**read, rule=rule)
    client, person = {"client_id": "none"}, {"subject": "nobody"}
    yield Door(**read, rule="/admin/clients/<client_id>", known=client)
    for rule in ("lock", "unlock"):
        yield Door(**sent, rule=f"/admin/clients/<client_id>/{rule}", known=client, fields={"reason": "x"})
    yield Door(**sent, rule="/admin/clients/<client_id>/unlock/decide", known=client, fields={"choice": "decline"})
    yield Door(**sent, rule="/admin/people/find", fields={"username": "nobody"})
    yield Door(**read, rule="/admin/people/<subject>", known=person)
    yield Door(**sent, rule="/admin/people/<subject>/end", known=person, fields={"sid": "nothing"})
    yield Door(**sent, rule="/admin/people/<subject>/reset", known=person, fields={"reason": "x"})
    asked = {**person, "identifier": "none"}
    yield Door(**sent, rule="/admin/people/<subject>/reset/<identifier>", known=asked, fields={"choice": "stop"})
    yield Door(**sent, rule="/admin/invitations/end", fields={"invitation": "0" * 16})


def _sso_more() -> Iterator[Door]:
    at: dict[str, Any] = {"component": "sso", "label": "sso"}
    shown: dict[str, Any] = {**at, "method": "POST", "takes": "form", "form_at": "/account"}
    nowhere = {"interaction": "n" * 24}
    yield Door(**at, method="GET", rule="/login/more", query=("interaction", "level"), who="zhang.min")
    yield Door(**shown, rule="/login/more", fields={**nowhere, "code": "0", "level": "2"}, who="zhang.min")
    signed = {**nowhere, "asked": "x" * 100, "credential": "{}", "level": "2"}
    yield Door(**shown, rule="/login/more/passkey", fields=signed, who="zhang.min")
    yield Door(**shown, rule="/login/more/leave", fields=nowhere, who="zhang.min")
    yield Door(**shown, rule="/consent/passkey", fields=signed, who="zhang.min")
    yield Door(**shown, rule="/login/upstream", fields=nowhere)
    yield Door(**at, method="GET", rule="/login/upstream", query=("state", "code", "iss", "error"))
    yield Door(**shown, rule="/account/factors/upstream", who="zhang.min")
    yield Door(**shown, rule="/account/factors/upstream/remove", who="zhang.min")
    told: dict[str, Any] = {**at, "method": "POST", "face": "oauth", "takes": "form"}
    yield Door(**told, rule="/login/upstream/ended", fields={"logout_token": "x"})


def _simulator(at: dict[str, Any], facts: dict[str, Any]) -> Iterator[Door]:
    """No client for tests is registered in a city: nothing is answered with what is sent here."""
    yield Door(**facts, rule="/simulator/.well-known/openid-configuration")
    yield Door(**facts, rule="/.well-known/oauth-authorization-server/simulator")
    yield Door(**facts, rule="/simulator/jwks")
    yield Door(**at, method="GET", rule="/simulator/authorize", query=("client_id", "redirect_uri", "login_hint"))
    yield Door(**at, method="GET", rule="/simulator/people", query=("interaction",))
    form: dict[str, Any] = {"method": "POST", "takes": "form"}
    who: dict[str, Any] = {**at, **form, "form_at": "/account", "who": "zhang.min"}
    yield Door(**who, rule="/simulator/people", fields={"interaction": "x", "who": "level-1"})
    for rule in ("/simulator/token", "/simulator/par"):
        yield Door(**at, **form, rule=rule, face="oauth", fields={"client_id": "nobody", "grant_type": "x"})
    for method in ("GET", "POST"):
        yield Door(**at, method=method, rule="/simulator/userinfo", face="oauth")


def _sso() -> Iterator[Door]:
    at: dict[str, Any] = {"component": "sso", "label": "sso"}
    facts: dict[str, Any] = {**at, "method": "GET", "face": "problem"}
    yield Door(**facts, rule="/.well-known/openid-configuration")
    yield Door(**facts, rule="/.well-known/oauth-authorization-server")
    yield Door(**facts, rule="/.well-known/oauth-protected-resource")
    yield Door(**facts, rule="/jwks")
    yield from _simulator(at, facts)
    yield from _sign_on_desk()
    yield Door(**facts, rule="/api/v1/openapi.json")
    asked: tuple[str, ...] = (
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "prompt",
    )
    asked += ("code_challenge_method", "max_age", "acr_values", "claims", "response_mode", "id_token_hint", "request")
    yield Door(**at, method="GET", rule="/authorize", query=asked)
    oauth: dict[str, Any] = {**at, "face": "oauth", "takes": "form"}
    yield Door(
        **oauth,
        method="POST",
        rule="/token",
        fields={
            "grant_type": "authorization_code",
            "code": "x" * 43,
            "redirect_uri": "https://tax.city.localhost/callback",
            "code_verifier": "v" * 43,
            "refresh_token": "x",
            "scope": "openid",
        },
    )
    pushed = {"client_id": "tax", "request": "a.b.c", "resource": "x", "authorization_details": "[]", "dpop_jkt": "x"}
    yield Door(**oauth, method="POST", rule="/par", fields=pushed)
    yield Door(**{**oauth, "takes": ""}, method="GET", rule="/userinfo")
    yield Door(**oauth, method="POST", rule="/userinfo", fields={"access_token": "x"})
    yield Door(**oauth, method="POST", rule="/introspect", fields={"token": "x", "token_type_hint": "access_token"})
    opened = {"decision": "0" * 32, "subject": "0" * 36, "purpose": "x", "identity": "a.b.c"}
    yield Door(**oauth, method="POST", rule="/accesses", fields=opened)
    yield Door(**oauth, method="POST", rule="/revoke", fields={"token": "x", "token_type_hint": "access_token"})
    # The host where clients show their certificates.
    shown_there: dict[str, Any] = {**oauth, "label": "sso-tls", "method": "POST", "card": "device"}
    yield Door(**shown_there, rule="/token", fields={"grant_type": "client_credentials", "client_id": "nobody"})
    yield Door(**at, method="GET", rule="/login", query=("interaction", "level", "lang"))
    # The card host answers nothing but this.
    yield Door(component="sso", label="card", method="GET", rule="/login", query=("ticket", "lang"))
    shown: dict[str, Any] = {**at, "method": "POST", "takes": "form", "form_at": "/account"}
    nowhere = {"interaction": "n" * 24}
    typed = {"username": "nobody.at.all", "password": "wrong", "code": "0"}
    yield Door(**shown, rule="/login", fields={**nowhere, **typed})
    yield Door(**shown, rule="/login/card", fields=nowhere)
    yield Door(**shown, rule="/login/passkey", fields={**nowhere, "asked": "x" * 100, "credential": "{}"})
    yield Door(**at, method="GET", rule="/passkeys.js")
    yield Door(**at, method="GET", rule="/login/card", query=("handover",))
    yield Door(**at, method="GET", rule="/acting", query=("interaction",), who="zhang.min")
    yield Door(**shown, rule="/acting", fields={**nowhere, "acting": "self"}, who="zhang.min")
    yield Door(**at, method="GET", rule="/consent", query=("interaction",), who="zhang.min")
    yield Door(**shown, rule="/consent", fields={**nowhere, "choice": "allow"}, who="zhang.min")
    yield Door(**at, method="GET", rule="/")
    yield Door(**at, method="GET", rule="/account", who="zhang.min", query=("lang",))
    yield Door(**at, method="GET", rule="/account/record/before/<int:index>", known={"int:index": "1"}, who="zhang.min")
    yield Door(**at, method="GET", rule="/account/record/<int:index>/<part>", known={"int:index": "0", "part": "proof"})
    yield Door(**shown, rule="/account/sessions/end", fields={"sid": "no-such-session"}, who="zhang.min")
    # Without a session: with one, any right form ends them all.
    yield Door(**shown, rule="/account/sessions/end-all")
    yield Door(**shown, rule="/account/consents/withdraw", fields={"client": "no-such-client"}, who="zhang.min")
    leaving = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state")
    yield Door(**at, method="GET", rule="/logout", query=leaving, who="zhang.min")
    yield Door(**shown, rule="/logout", fields=dict.fromkeys(leaving[1:], "x"))
    yield Door(**at, method="GET", rule="/logged-out")
    yield from _factors(at, shown)


def _factors(at: dict[str, Any], shown: dict[str, Any]) -> Iterator[Door]:
    yield Door(**at, method="GET", rule="/account/factors", who="zhang.min", query=("lang",))
    yield Door(**at, method="GET", rule="/account/factors/again", who="zhang.min")
    yield Door(**at, method="GET", rule="/account/mandates", who="zhang.min", query=("lang",))
    yield Door(**at, method="GET", rule="/account/mandates/again", who="zhang.min")
    # Without a session: with one of the last minutes, any right form changes what that person logs in with.
    # The right code of nobody: nearly right, and gives nothing.
    asked = {"username": "chen.wei", "code": "AAAAA-AAAAA", "service": "tax", "until": "2036-01-01"}
    yield Door(**{**shown, "form_at": "/account/mandates"}, rule="/account/mandates/give", fields=asked)
    ended = {"holder": NOBODY, "principal": NOBODY, "service": "tax"}
    yield Door(**{**shown, "form_at": "/account/mandates"}, rule="/account/mandates/end", fields=ended)
    yield Door(**shown, rule="/account/factors/codes")
    yield Door(**shown, rule="/account/factors/codes/confirm", fields={"setup": "x" * 100, "code": "000000"})
    yield Door(**shown, rule="/account/factors/codes/remove")
    yield Door(**shown, rule="/account/factors/recovery")
    made = {"asked": "x" * 100, "credential": "{}", "name": "x"}
    yield Door(**shown, rule="/account/factors/passkeys", fields=made)
    yield Door(**shown, rule="/account/factors/passkeys/remove", fields={"passkey": "no-such-passkey"})


def _core() -> Iterator[Door]:
    for role in ("audit", "ca", "directory", "gateway", "signatures", "sso", "portal-tax"):
        for rule in ("/livez", "/readyz"):
            yield Door(component="core", method="GET", rule=rule, role=role, face="problem")


DOORS: tuple[Door, ...] = (
    *_audit(),
    *_audit_desks(),
    *_policies(),
    *_log(),
    *_ca(),
    *_acme(),
    *_est(),
    *_directory(),
    *_gateway(),
    *_portals(),
    *_signatures(),
    *_sso(),
    *_sso_more(),
    *_sso_devices(),
    *_sso_people(),
    *_core(),
)
METHODS = {"get", "post", "put", "patch", "delete", "route"}


def declared() -> set[str]:
    """Every endpoint in the source: component, method, rule."""
    rooms = [
        path
        for path in ROOT.glob("*/**/*.py")
        if path.relative_to(ROOT).parts[0] not in {"tests", ".venv", ".venv-certbot"}
    ]
    return {name for path in rooms for name in _declared(path)}


def _declared(path: Path) -> Iterator[str]:
    component = path.relative_to(ROOT).parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in METHODS:
                for method in _methods(call):
                    yield f"{component} {method} {ast.literal_eval(call.args[0])}"


def _methods(call: ast.Call) -> list[str]:
    assert isinstance(call.func, ast.Attribute)
    if call.func.attr != "route":
        return [call.func.attr.upper()]
    named = [keyword.value for keyword in call.keywords if keyword.arg == "methods"]
    return list(ast.literal_eval(named[0])) if named else ["GET"]
