# SPDX-License-Identifier: Apache-2.0
"""What an entry tells, read by hand from its OCSF document as docs/events.md describes it; shares no code with ours."""

from typing import Any

_FINDING, _LIFECYCLE, _HTTP, _API, _ENTITY = 2004, 6002, 4002, 6003, 3004
_ACTING = {_HTTP, _API}
# Families whose section says "Manages: the subject".
_MANAGED = {
    "directory.change", "directory.device", "directory.duties", "directory.entry", "directory.power",
    "directory.program", "directory.review", "directory.software", "signature.program",
}  # fmt: skip


def told(document: dict[str, Any]) -> dict[str, Any]:
    """Who, what, to which object, seen by whom; what is not said is left out."""
    metadata, left = document["metadata"], document.get("unmapped", {})
    found = {
        "type": metadata["event_code"],
        "source": metadata["log_provider"],
        "decision": metadata.get("correlation_uid", _at(document, "http_request", "uid")),
        "policy": _at(document, "policy", "version"),
        "zone": _at(document, "src_endpoint", "zone") or left.get("zone"),
        "session": _at(document, "session", "uid") or _at(document, "actor", "session", "uid") or left.get("session"),
        "organisation": left.get("organisation"),
        "object": _object(document),
        **_people(document),
        "attributes": {**left.get("attributes", {}), **_moved(document)},
    }
    return {name: value for name, value in found.items() if value}


def _object(document: dict[str, Any]) -> str:
    number = document["class_uid"]
    resources = {each.get("type", "object"): each["uid"] for each in document.get("resources", ())}
    places = {
        _HTTP: _at(document, "dst_endpoint", "svc_name"),
        _FINDING: _at(document, "finding_info", "uid"),
        _LIFECYCLE: _at(document, "app", "uid"),
        _ENTITY: "" if _managed_is_subject(document) else _at(document, "entity", "uid"),
        3002: _at(document, "service", "uid"),
    }
    return places.get(number) or resources.get("object", "") or document.get("unmapped", {}).get("object", "")


def _people(document: dict[str, Any]) -> dict[str, str]:
    number, left = document["class_uid"], document.get("unmapped", {})
    acting = _at(document, "actor", "user", "uid") or _at(document, "actor", "app_uid") or left.get("actor", "")
    if number in _ACTING:
        touched = {each["type"]: each["uid"] for each in document.get("resources", ())}
        about = touched.get("subject", left.get("subject", ""))
        alone = not about and "actor" not in left and _at(document, "actor", "user", "uid")
        return {"subject": acting} if alone else {"subject": about, "actor": acting}
    if number == _FINDING:
        return {"subject": next((each["uid"] for each in document.get("resources", ())), ""), "actor": acting}
    if number == _ENTITY:
        place = ("entity", "uid") if _managed_is_subject(document) else ("entity", "user", "uid")
        return {"subject": _at(document, *place), "actor": acting}
    return {"subject": _at(document, "user", "uid") or left.get("subject", ""), "actor": acting}


def _managed_is_subject(document: dict[str, Any]) -> bool:
    return document["metadata"]["event_code"].rpartition(".")[0] in _MANAGED


def _moved(document: dict[str, Any]) -> dict[str, Any]:
    """Attributes for which the schema has a place."""
    code, moved = document["metadata"]["event_code"], {}
    if method := _at(document, "http_request", "http_method"):
        moved["method"] = method
    if "privileges" in document:
        named = {
            "directory.role.granted": "role", "directory.role.withdrawn": "role", "gateway.session.opened": "host",
            "sso.consent.granted": "scopes",
        }  # fmt: skip
        families = {
            "audit.warrant": "kind", "audit.export": "target", "directory.post": "post", "directory.mandate": "scope",
            "directory.entitlement": "entitlement", "directory.representative": "capacity",
        }  # fmt: skip
        moved[named.get(code) or families.get(code.rpartition(".")[0], "client")] = document["privileges"][0]
    return moved


def _at(document: dict[str, Any], *path: str) -> str:
    here: Any = document
    for name in path:
        here = here.get(name, {}) if isinstance(here, dict) else {}
    return here if isinstance(here, str) else ""
