# SPDX-License-Identifier: Apache-2.0
"""Where each part of an event stands in a document of its OCSF class, and the way back.

The version is pinned to 1.6.0 in every entry: the newest whose classes for access management are whole (1.9 deprecates
them) and whose official schema our tests hold. Each fact stands in one place. What the schema has no place for stands
in ``unmapped``: the organisation on whose behalf, the attributes, the sealed part. Users appear by random identifier
only; ``unknown`` stands where the schema demands somebody and nobody was identified.

- Everywhere: type ``metadata.event_code``, source ``metadata.log_provider``, key ``metadata.uid``, the source's
  sequence ``metadata.sequence``, decision ``metadata.correlation_uid``, outcome ``status_code``, version of the
  policies ``policy.version`` (profile security_control).
- Account change, authentication, authorize session, user access: subject ``user``, actor ``actor``, session
  ``session`` or ``actor.session``, object ``service`` or ``resources``, zone ``src_endpoint.zone``.
- Entity management: object (or subject, as the kind says) ``entity``.
- API and HTTP activity: whoever acts ``actor.user``, which is the actor or else the subject; roles ``actor.app_uid``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .errors import BadEvent
from .events import KINDS, Kind, Verb
from .models import Event, Outcome

VERSION = "1.6.0"
PRODUCT = {"name": "Tallygate", "vendor_name": "Tallygate"}
ROLE = "role:"
"""How an actor begins that is a role of the site and nobody's identifier."""

_UNKNOWN = "unknown"
# OCSF status_id: 1 success, 2 failure, 99 other; of a finding: 1 new. severity_id: 1 informational, 2 low.
_STATUS = {Outcome.INTENDED: 99, Outcome.SUCCESS: 1, Outcome.DENIED: 2, Outcome.FAILURE: 2}
_SEVERITY = {Outcome.INTENDED: 1, Outcome.SUCCESS: 1, Outcome.DENIED: 2, Outcome.FAILURE: 2}
_NEW = 1
# OCSF action_id of what policies decided: allowed, denied, or unknown.
_ACTION = {Outcome.INTENDED: 1, Outcome.SUCCESS: 1, Outcome.DENIED: 2, Outcome.FAILURE: 0}
_METHODS = {
    "CONNECT": 1, "DELETE": 2, "GET": 3, "HEAD": 4, "OPTIONS": 5, "POST": 6, "PUT": 7, "TRACE": 8, "PATCH": 9,
}  # fmt: skip
_OTHER = 99
# OCSF type_id of managed entities.
_ENTITIES = {"device": 1, "policies": 5}

_Json = dict[str, Any]


class _Classes:
    """Numbers of the OCSF classes that entries are of."""

    FINDING = 2004
    ACCOUNT = 3001
    AUTHENTICATION = 3002
    SESSION = 3003
    ENTITY = 3004
    ACCESS = 3005
    HTTP = 4002
    LIFECYCLE = 6002
    API = 6003


def document(event: Event, time: int) -> _Json:
    """The clear header as a document of its class, ``time`` in milliseconds; ``event.sealed`` is left out."""
    kind = KINDS[event.type]
    number, outcome = kind.ocsf_class, event.outcome
    left: _Json = {"attributes": dict(event.attributes)} if event.attributes else {}
    metadata: _Json = {
        "event_code": event.type,
        "log_provider": event.source,
        "product": PRODUCT,
        "uid": event.key,
        "version": VERSION,
    }
    made: _Json = {
        "activity_id": kind.activity,
        "category_uid": number // 1000,
        "class_uid": number,
        "metadata": metadata,
        "severity_id": int(kind.severity) or _SEVERITY[outcome],
        "status_code": outcome.value,
        "status_id": _NEW if number == _Classes.FINDING else _STATUS[outcome],
        "time": time,
    }
    if event.decision and number != _Classes.HTTP:
        metadata["correlation_uid"] = event.decision
    if event.organisation:
        left["organisation"] = event.organisation
    _PUT[number](event, kind, made, left)
    made["type_uid"] = number * 100 + made["activity_id"]
    if event.policy:
        made["policy"] = {"name": "site", "version": event.policy}
        made["action_id"] = _ACTION[outcome]
        metadata["profiles"] = [*metadata.get("profiles", ()), "security_control"]
    if left:
        made["unmapped"] = left
    return made


def header(said: _Json) -> _Json:
    """The parts of an event by name that a document tells; whoever asks encodes again and compares.

    Raises:
        BadEvent: its type is not ours.
        KeyError, TypeError, ValueError, AttributeError: it has another shape.
    """
    metadata, left = said["metadata"], said.get("unmapped", {})
    kind = KINDS.get(metadata["event_code"])
    if kind is None:
        raise BadEvent(why="its type is not listed in audit.events")
    policy = said.get("policy")
    parts = {
        "key": metadata["uid"],
        "type": metadata["event_code"],
        "outcome": Outcome(said["status_code"]),
        "source": metadata["log_provider"],
        "decision": metadata.get("correlation_uid", ""),
        "policy": policy["version"] if policy else "",
        "organisation": left.get("organisation", ""),
        "attributes": left.get("attributes", {}),
        "sealed": left.get("sealed", {}),
    }
    endpoint = said.get("src_endpoint")
    if endpoint:
        parts["zone"] = endpoint.get("zone", "")
    parts.update(_TAKE[kind.ocsf_class](said, left, kind))
    return parts


def _actor(event: Event, kind: Kind, *, session: bool = True) -> _Json:
    """Who did it: nobody if the event names nobody."""
    who: _Json = {}
    if event.actor:
        if kind.verb is Verb.FOLLOWER or event.actor.startswith(ROLE):
            who["app_uid"] = event.actor
        else:
            who["user"] = {"uid": event.actor}
    if session and event.session:
        who["session"] = {"uid": event.session}
    return who


def _actor_of(said: _Json) -> _Json:
    who = said.get("actor")
    if not who:
        return {}
    parts = {}
    if "user" in who:
        parts["actor"] = who["user"]["uid"]
    elif "app_uid" in who:
        parts["actor"] = who["app_uid"]
    if "session" in who:
        parts["session"] = who["session"]["uid"]
    return parts


def _put_zone(event: Event, made: _Json) -> None:
    if event.zone:
        made["src_endpoint"] = {"name": event.zone, "zone": event.zone}


def _put_user(event: Event, kind: Kind, made: _Json, *, session: bool) -> None:
    made["user"] = {"uid": event.subject} if event.subject else {"name": _UNKNOWN}
    if who := _actor(event, kind, session=not session):
        made["actor"] = who
    if session and event.session:
        made["session"] = {"uid": event.session}
    _put_zone(event, made)


def _take_user(said: _Json) -> _Json:
    parts = {"subject": said["user"].get("uid", ""), **_actor_of(said)}
    if "session" in said:
        parts["session"] = said["session"]["uid"]
    return parts


def _put_privilege(kind: Kind, made: _Json, left: _Json) -> None:
    made["privileges"] = [left["attributes"].pop(kind.privilege)]
    if not left["attributes"]:
        del left["attributes"]


def _take_privilege(said: _Json, left: _Json, kind: Kind) -> _Json:
    (given,) = said["privileges"]
    return {kind.privilege: given, **left.get("attributes", {})}


def _put_account(event: Event, kind: Kind, made: _Json, left: _Json) -> None:
    _put_user(event, kind, made, session=False)
    _put_rest(left, object=event.object)


def _take_account(said: _Json, left: _Json, _: Kind) -> _Json:
    return {**_take_user(said), "object": left.get("object", "")}


def _put_authentication(event: Event, kind: Kind, made: _Json, _: _Json) -> None:
    _put_user(event, kind, made, session=True)
    made["service"] = {"uid": event.object} if event.object else {"name": event.source}


def _take_authentication(said: _Json, _: _Json, __: Kind) -> _Json:
    return {**_take_user(said), "object": said["service"].get("uid", "")}


def _put_session(event: Event, kind: Kind, made: _Json, left: _Json) -> None:
    _put_user(event, kind, made, session=True)
    _put_privilege(kind, made, left)
    _put_rest(left, object=event.object)


def _take_session(said: _Json, left: _Json, kind: Kind) -> _Json:
    given = _take_privilege(said, left, kind)
    return {**_take_user(said), "object": left.get("object", ""), "attributes": given}


def _put_access(event: Event, kind: Kind, made: _Json, left: _Json) -> None:
    _put_user(event, kind, made, session=False)
    _put_privilege(kind, made, left)
    if event.object:
        made["resources"] = [{"uid": event.object}]


def _take_access(said: _Json, left: _Json, kind: Kind) -> _Json:
    given = _take_privilege(said, left, kind)
    (resource,) = said.get("resources", ({"uid": ""},))
    return {**_take_user(said), "object": resource["uid"], "attributes": given}


def _put_entity(event: Event, kind: Kind, made: _Json, left: _Json) -> None:
    entity: _Json = {"type": kind.entity, "type_id": _ENTITIES.get(kind.entity, _OTHER)}
    managed = event.subject if kind.of_subject else event.object
    entity["uid" if managed else "name"] = managed or kind.entity
    if kind.of_subject:
        _put_rest(left, object=event.object)
    elif event.subject:
        # Whoever holds it.
        entity["user"] = {"uid": event.subject}
    made["entity"] = entity
    if who := _actor(event, kind):
        made["actor"] = who
    _put_zone(event, made)


def _take_entity(said: _Json, left: _Json, kind: Kind) -> _Json:
    entity = said["entity"]
    managed, parts = entity.get("uid", ""), _actor_of(said)
    if kind.of_subject:
        return {**parts, "subject": managed, "object": left.get("object", "")}
    return {**parts, "object": managed, "subject": entity["user"]["uid"] if "user" in entity else ""}


def _put_acting(event: Event, kind: Kind, left: _Json) -> _Json:
    """The initiator. Where an identifier alone could be taken for the subject's, ``unmapped.actor`` says whose."""
    who = _actor(event, kind)
    if event.subject and not event.actor:
        who["user"] = {"uid": event.subject}
    elif "user" in who and not event.subject:
        left["actor"] = event.actor
    return who


def _take_acting(said: _Json, left: _Json, about: str) -> _Json:
    parts = _actor_of(said)
    if about or "actor" in left or "user" not in said.get("actor", {}):
        return {**parts, "subject": about}
    return {**parts, "subject": parts["actor"], "actor": ""}


def _put_http(event: Event, kind: Kind, made: _Json, left: _Json) -> None:
    if who := _put_acting(event, kind, left):
        made["actor"] = who
        made["metadata"]["profiles"] = ["host"]
        if event.actor:
            _put_rest(left, subject=event.subject)
    asked: _Json = {"uid": event.decision}
    # Any other method stays an attribute: the schema lists those it knows.
    if event.attributes.get("method") in _METHODS:
        asked["http_method"] = left["attributes"].pop("method")
        if not left["attributes"]:
            del left["attributes"]
        made["activity_id"] = _METHODS[asked["http_method"]]
    made["http_request"] = asked
    if event.object:
        made["dst_endpoint"] = {"svc_name": event.object}
    _put_zone(event, made)


def _take_http(said: _Json, left: _Json, _: Kind) -> _Json:
    asked, attributes = said["http_request"], left.get("attributes", {})
    if "http_method" in asked:
        attributes = {"method": asked["http_method"], **attributes}
    return {
        **_take_acting(said, left, left.get("subject", "")),
        "object": said["dst_endpoint"]["svc_name"] if "dst_endpoint" in said else "",
        "decision": asked["uid"],
        "attributes": attributes,
    }


def _put_api(event: Event, kind: Kind, made: _Json, left: _Json) -> None:
    made["actor"] = _put_acting(event, kind, left) or {"app_name": event.source}
    made["api"] = {"operation": event.type.rpartition(".")[2]}
    touched = [{"type": "subject", "uid": event.subject}] if event.subject and event.actor else []
    if event.object:
        touched.append({"type": "object", "uid": event.object})
    if touched:
        made["resources"] = touched
    # The schema demands to know from where.
    made["src_endpoint"] = {"name": event.zone, "zone": event.zone} if event.zone else {"name": _UNKNOWN}


def _take_api(said: _Json, left: _Json, _: Kind) -> _Json:
    touched = {each["type"]: each["uid"] for each in said.get("resources", ())}
    return {**_take_acting(said, left, touched.get("subject", "")), "object": touched.get("object", "")}


def _put_lifecycle(event: Event, _: Kind, made: _Json, left: _Json) -> None:
    made["app"] = {"name": PRODUCT["name"], "uid": event.object} if event.object else {"name": PRODUCT["name"]}
    _put_rest(left, subject=event.subject, actor=event.actor, session=event.session, zone=event.zone)


def _take_lifecycle(said: _Json, left: _Json, _: Kind) -> _Json:
    rest = {name: left.get(name, "") for name in ("subject", "actor", "session", "zone")}
    return {**rest, "object": said["app"].get("uid", "")}


def _put_finding(event: Event, kind: Kind, made: _Json, left: _Json) -> None:
    made["finding_info"] = {"title": event.type, "uid": event.object}
    if who := _actor(event, kind):
        made["actor"] = who
        made["metadata"]["profiles"] = ["host"]
    if event.subject:
        made["resources"] = [{"uid": event.subject}]
    _put_rest(left, zone=event.zone)


def _take_finding(said: _Json, left: _Json, _: Kind) -> _Json:
    (about,) = said.get("resources", ({"uid": ""},))
    return {
        **_actor_of(said),
        "object": said["finding_info"]["uid"],
        "subject": about["uid"],
        "zone": left.get("zone", ""),
    }


def _put_rest(left: _Json, **parts: str) -> None:
    for name, value in parts.items():
        if value:
            left[name] = value


_PUT: Mapping[int, Callable[[Event, Kind, _Json, _Json], None]] = {
    _Classes.FINDING: _put_finding,
    _Classes.ACCOUNT: _put_account,
    _Classes.AUTHENTICATION: _put_authentication,
    _Classes.SESSION: _put_session,
    _Classes.ENTITY: _put_entity,
    _Classes.ACCESS: _put_access,
    _Classes.HTTP: _put_http,
    _Classes.LIFECYCLE: _put_lifecycle,
    _Classes.API: _put_api,
}
_TAKE: Mapping[int, Callable[[_Json, _Json, Kind], _Json]] = {
    _Classes.FINDING: _take_finding,
    _Classes.ACCOUNT: _take_account,
    _Classes.AUTHENTICATION: _take_authentication,
    _Classes.SESSION: _take_session,
    _Classes.ENTITY: _take_entity,
    _Classes.ACCESS: _take_access,
    _Classes.HTTP: _take_http,
    _Classes.LIFECYCLE: _take_lifecycle,
    _Classes.API: _take_api,
}
