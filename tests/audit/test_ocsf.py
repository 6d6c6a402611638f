# SPDX-License-Identifier: Apache-2.0
"""Every event type, encoded, is a valid OCSF event of its class and says everything in one place only.

Two outside witnesses. ``ocsf-1.6.0.json`` holds, for our classes, what the official schema demands (made from the
export of OCSF 1.6.0, Apache-2.0, as ocsf-json-schema 1.2.0 carries it): every required attribute, and of the others
those that entries use. It is the stricter one, for what it does not list is refused. ``py-ocsf-models`` 0.10 has a
class only for findings, of OCSF 1.5, and there holds our findings whole; of the other classes it knows the objects.
It is laxer than the standard about names it does not know, which pydantic passes over, and about "at least one of";
it is stricter in demanding parts that the standard only offers, which are filled in below where it looks at an object.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from py_ocsf_models.events.findings.detection_finding import DetectionFinding  # type: ignore[import-untyped]
from py_ocsf_models.objects.api import API  # type: ignore[import-untyped]
from py_ocsf_models.objects.metadata import Metadata  # type: ignore[import-untyped]
from py_ocsf_models.objects.policy import Policy  # type: ignore[import-untyped]
from py_ocsf_models.objects.resource_details import ResourceDetails  # type: ignore[import-untyped]
from py_ocsf_models.objects.service import Service  # type: ignore[import-untyped]
from pydantic import BaseModel

from audit import BadEvent, Event, Outcome, decode_event, encode_event
from audit.events import KINDS
from audit.models_codec import decode_entry, encode_entry
from audit.models_rules import PERSONAL
from tests.audit.entries import events
from tests.fakes.log_site import event
from tests.flows.telling import told

_SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "ocsf-1.6.0.json").read_text("utf-8"))
_PLAIN: Mapping[str, Callable[[Any], bool]] = {
    "integer_t": lambda value: type(value) is int,
    "long_t": lambda value: type(value) is int,
    "timestamp_t": lambda value: type(value) is int,
}
_OBJECTS: Mapping[str, type[BaseModel]] = {"api": API, "metadata": Metadata}
_MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def faults(document: dict[str, Any]) -> list[str]:
    """Everything the schema has against a document."""
    number, profiles = document["class_uid"], {"", *document["metadata"].get("profiles", ())}
    wrong = list(_faults(_SCHEMA["classes"][str(number)], document, profiles, ""))
    if document["metadata"]["version"] != _SCHEMA["version"]:
        wrong.append("version")
    if document["type_uid"] != number * 100 + document["activity_id"]:
        wrong.append("type_uid")
    return wrong


def _faults(table: dict[str, Any], said: dict[str, Any], profiles: set[str], where: str) -> list[str]:
    known = {name: each for name, each in table["attributes"].items() if each.get("profile", "") in profiles}
    wrong = [f"{where}{name} is missing" for name, each in known.items() if each.get("required") and name not in said]
    for rule, names in table.get("constraints", {}).items():
        given_ = len([name for name in names if name in said])
        if (rule == "at_least_one" and not given_) or (rule == "just_one" and given_ != 1):
            wrong.append(f"{where}{rule} of {names}")
    for name, value in said.items():
        if name not in known:
            wrong.append(f"{where}{name} is unknown")
            continue
        values = value if known[name].get("array") and isinstance(value, list) else [value]
        for one in values:
            wrong += _fault(known[name], one, profiles, f"{where}{name}")
    return wrong


def _fault(rule: dict[str, Any], value: Any, profiles: set[str], where: str) -> list[str]:
    if "object" in rule:
        if not isinstance(value, dict) or not value:
            return [f"{where} is no object"]
        return (
            []
            if rule["object"] == "object"
            else _faults(_SCHEMA["objects"][rule["object"]], value, profiles, f"{where}.")
        )
    if not _PLAIN.get(rule["type"], lambda value: isinstance(value, str))(value):
        return [f"{where} is no {rule['type']}"]
    return [f"{where} is none of the schema's"] if "enum" in rule and str(value) not in rule["enum"] else []


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_type_is_valid_for_the_schema_of_its_class(name: str) -> None:
    @_FEW
    @given(events(name))
    def holds(one: Event) -> None:
        document = json.loads(encode_event(one))
        assert faults(document) == []
        entry = json.loads(encode_entry(replace(one, sealed={}), sequence=3, ciphertext="c2VhbGVk"))
        assert faults(entry) == []
        assert entry["metadata"]["sequence"] == 3
        for part, shape in _OBJECTS.items():
            if part in document:
                shape.model_validate(document[part])
        if "policy" in document:
            Policy.model_validate({"uid": "", "desc": "", **document["policy"]})
        if "service" in document:
            Service.model_validate({"uid": "", "name": "", "version": "", **document["service"]})
        for resource in document.get("resources", ()):
            ResourceDetails.model_validate({"name": "", "labels": [], "type": "", **resource})

    holds()


def test_the_checker_of_these_tests_finds_what_is_wrong() -> None:
    good = json.loads(encode_event(event(session="s1")))
    assert faults(good) == []
    changes: list[dict[str, Any]] = [
        {"user": None}, {"user": {"domain": "x"}}, {"service": {}}, {"time": "now"}, {"type_uid": 300299},
        {"activity_id": 77}, {"extra": 1}, {"policy": {"name": "site"}}, {"severity_id": True},
    ]  # fmt: skip
    for change in changes:
        assert faults({name: value for name, value in {**good, **change}.items() if value is not None}), change


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.ocsf_class == 2004])
def test_a_finding_is_one_for_py_ocsf_models_too(name: str) -> None:
    @_FEW
    @given(events(name))
    def holds(one: Event) -> None:
        document = json.loads(encode_event(one))
        # It calls the list by another name than the schema's, and demands three captions that the schema only offers.
        captions = {"activity_name": "", "category_name": "", "class_name": "", "severity": "", "type_name": ""}
        DetectionFinding.model_validate({"message": "", **captions, **document, "resources": []})

    holds()


@_MANY
@given(events())
def test_what_is_encoded_is_decoded_to_the_same(one: Event) -> None:
    assert decode_event(encode_event(one)) == one
    sealed_off = replace(one, sealed={})
    entry = decode_entry(5, encode_entry(sealed_off, sequence=2, ciphertext=""))
    assert (entry.event, entry.sequence) == (sealed_off, 2)


@_MANY
@given(events())
def test_who_knows_only_the_catalogue_reads_the_same(one: Event) -> None:
    parts = ("type", "source", "subject", "actor", "object", "organisation", "session", "zone", "decision", "policy")
    said = {name: getattr(one, name) for name in parts} | {"attributes": dict(one.attributes)}
    assert told(json.loads(encode_event(one))) == {name: value for name, value in said.items() if value}


@_MANY
@given(events(), events())
def test_two_events_never_have_the_same_bytes(one: Event, other: Event) -> None:
    other = replace(other, key=one.key)
    assert (encode_event(one) == encode_event(other)) is (one == other)


@_MANY
@given(events(), st.data())
def test_no_other_class_or_activity_can_be_claimed(one: Event, data: st.DataObject) -> None:
    document = json.loads(encode_event(one))
    name = data.draw(st.sampled_from(["class_uid", "category_uid", "activity_id", "type_uid", "severity_id"]))
    document[name] += data.draw(st.integers(1, 5))
    forged = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(BadEvent):
        decode_event(forged)


def test_a_class_with_all_its_numbers_cannot_be_claimed_either() -> None:
    document = json.loads(encode_event(event()))
    document |= {"class_uid": 3001, "type_uid": 300101, "category_uid": 3, "activity_id": 1}
    with pytest.raises(BadEvent):
        decode_event(json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


def test_a_role_cannot_say_what_is_anothers_to_say() -> None:
    for forged in ("directory.person.enabled", "ca.certificate.revoked", "policy.released", "gateway.decision"):
        with pytest.raises(BadEvent, match="does not say"):
            encode_event(event(type=forged, source="sso", object="1f", decision="d", actor="x"))


@pytest.mark.parametrize("name", sorted(PERSONAL))
def test_what_is_personal_is_refused_in_the_clear_header(name: str) -> None:
    with pytest.raises(BadEvent, match="personal and belongs into the sealed part"):
        encode_event(event(attributes={name: "李雷"}))
    assert [type_ for type_, kind in KINDS.items() if name in kind.attributes] == []


@pytest.mark.parametrize("part", ["subject", "actor", "session"])
@pytest.mark.parametrize("value", ["李雷", "Li Lei", "li.lei@example.org", "+86 138 0000 0000", "cn=li,dc=city\n"])
def test_nobody_is_named_where_an_identifier_belongs(part: str, value: str) -> None:
    named: dict[str, Any] = {part: value}
    with pytest.raises(BadEvent):
        encode_event(event(**named))


@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        ("gateway.decision", {"source": "gateway"}),
        ("sso.token.issued", {"object": "g1"}),
        ("sso.token.issued", {"object": "g1", "attributes": {"client": ""}}),
        ("sso.token.issued", {"object": "g1", "attributes": {"client": 7}}),
        ("sso.factor.enrolled", {"subject": ""}),
        ("audit.witness.contradicted", {"source": "audit"}),
        ("directory.role.granted", {"source": "directory"}),
    ],
)
def test_an_emitter_that_forgets_what_its_class_demands_is_told(type_: str, fields: dict[str, Any]) -> None:
    with pytest.raises(BadEvent, match="needs its"):
        encode_event(event(**{"type": type_, "sealed": {}, **fields}))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"user":{', b'"user":{"uid":"x",'), (b'"class_uid":3002', b'"class_uid":3002.0'),
        (b'"uid":"3b0e"', b'"uid":"\\u0033b0e"'), (b'"uid":"3b0e"', b'"name":"Li Lei","uid":"3b0e"'),
        (b'"service":{', b'"service":{"version":"1",'), (b'"time":', b'"user":{"uid":"other"},"time":'),
        (b'"user":{"uid":"3b0e"}', b'"user":{"email_addr":"li@example.org"}'),
        (b'"status_id":1', b'"status_id":1,"unmapped":{}'),
    ],
)  # fmt: skip
def test_nothing_can_be_smuggled_into_a_document(before: bytes, after: bytes) -> None:
    raw = encode_event(event(key="ab" * 16, outcome=Outcome.SUCCESS, sealed={}))
    assert before in raw
    with pytest.raises(BadEvent):
        decode_event(raw.replace(before, after))
