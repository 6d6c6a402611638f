# SPDX-License-Identifier: Apache-2.0
"""The fields a rule may look at: the clear header, the attributes, and what is worked out when an entry is read.

A field that is not here stops the rule that names it. Sealed fields are personal and never here.
"""

from collections.abc import Mapping

TABLE = "event"
ENTRY = "entry"
"""Index of the entry in the log."""
TIME = "ts"
"""Microseconds since 1970, always more than that of the entry before: the order of the log is the order of time."""

HEADER = (
    "type", "outcome", "source", "zone", "subject", "actor", "object", "organisation", "session", "decision", "policy",
)  # fmt: skip
WORDS = (
    "account", "acr", "act", "amr", "certificate", "claims", "class", "client", "code", "content", "credential",
    "endpoint", "factor", "first", "grant_type", "host", "issuer", "kind", "kinds", "method", "network", "part",
    "policies", "profile", "reader", "reason", "reasons", "request", "role", "roles", "rule", "scopes", "shown",
    "to_zone", "view", "what",
)  # fmt: skip
"""Attributes that are text."""
NUMBERS = (
    "assurance", "classification", "clearance", "count", "enabled", "files", "hits", "persons", "proofing", "public",
    "required", "sequence", "size", "witnessed",
)  # fmt: skip
"""Attributes that are numbers or truth values (0 and 1)."""
WORKED_OUT: Mapping[str, str] = {
    "class_uid": "OCSF class of the type",
    "activity_id": "OCSF activity of the type",
    "hour": "hour of the event in the site's time zone, 0 to 23",
    "weekday": "day of the week in the site's time zone, 1 for Monday to 7",
    "own": "1 if actor and subject are the same",
    "by_role": "1 if a role of the site acted, not a person",
    "location": "name of the place the network belongs to, by the site's table",
    "travel_km": "of a login: kilometres from the last known place of a login before",
    "travel_kmh": "of a login: the speed that journey would need",
    "idle_days": "of a login: whole days since the person's login before",
    "rolled_back": "of a released policy: 1 if the same files were in force earlier and were replaced since",
    "unclean": "of a start of the log: 1 if its stop before is not recorded",
    "stopped_seconds": "of a start of the log: seconds since the entry before",
    "silent_source": "which of the roles that speak all day, gateway and sso, has said nothing for longest",
    "silent_seconds": "seconds since its last entry, or since the record started again",
    "heard_last": "index of its last entry",
    "previous": "index of the entry before that it was compared with",
    "travel_from": "index of the login before that came from a known place",
}
"""Fields that no entry holds, and what they say."""
COMPARED: Mapping[str, str] = {
    "travel_km": "travel_from",
    "travel_kmh": "travel_from",
    "silent_seconds": "heard_last",
    **dict.fromkeys(("idle_days", "rolled_back", "unclean", "stopped_seconds"), "previous"),
}
"""Behind which of them an earlier entry stands, and the field that names it."""
_WORKED_OUT_TEXT = frozenset({"location", "silent_source"})

COLUMNS = (*HEADER, *WORDS, *NUMBERS, *WORKED_OUT)
SEALED = frozenset({"name", "name_zh", "username", "mail", "address", "path", "person", "text"})

MAPPING: Mapping[str, str] = (
    {
        "metadata.event_code": "type",
        "metadata.log_provider": "source",
        "metadata.correlation_uid": "decision",
        "http_request.uid": "decision",
        "http_request.http_method": "method",
        "status_code": "outcome",
        "user.uid": "subject",
        "actor.user.uid": "actor",
        "actor.app_uid": "actor",
        "session.uid": "session",
        "actor.session.uid": "session",
        "src_endpoint.zone": "zone",
        "policy.version": "policy",
        "entity.uid": "object",
        "service.uid": "object",
        "dst_endpoint.svc_name": "object",
        "resources.uid": "object",
    }
    | {f"unmapped.{name}": name for name in HEADER}
    | {f"unmapped.attributes.{name}": name for name in (*WORDS, *NUMBERS)}
)
"""OCSF names of the same fields."""


def schema() -> str:
    """The table, as SQL."""
    texts = {*HEADER, *WORDS, *_WORKED_OUT_TEXT}
    columns = [f"`{name}` {'TEXT COLLATE NOCASE' if name in texts else 'INTEGER'}" for name in COLUMNS]
    return f"CREATE TABLE {TABLE} ({ENTRY} INTEGER PRIMARY KEY, {TIME} INTEGER NOT NULL, {', '.join(columns)})"
