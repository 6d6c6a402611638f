# SPDX-License-Identifier: Apache-2.0
"""One release's policies, ready to answer; immutable, so that a newer one replaces it by one reference."""

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy
import orjson

from ..errors import PoliciesUnusable
from ..models import Action, Code, DecisionRequest
from .slices import Finer, slices
from .source import Policy, read_policies, read_schema

_TYPES = {
    "person": "Person",
    "organisation": "Organisation",
    "device": "Device",
    "service": "Service",
    "client": "Client",
    "anonymous": "Anonymous",
}
_MOST_KEPT = 4096
"""Entities of questions, of some 7 KiB each."""
# Younger than the first released schemas: a question says them only to policies that know them.
_YOUNGER = ("device_state", "acting_for", "purpose")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Cedar said about one question; ``failed`` whenever it did not say it cleanly."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    failed: bool = False
    # Why it failed: "request" if it cannot be asked at all, "evaluation" if a policy raised, "no-decision" if Cedar
    # would not decide; empty if it did not fail.
    failure: str = ""


_UNKNOWN = 60


def _moments(policies: Iterable[Policy], action: str) -> tuple[int, ...] | None:
    found: set[int] = set()
    for policy in policies:
        these = policy.moments(action)
        if these is None:
            return None
        found |= these
    return tuple(sorted(found))


class Ruleset:
    """Schema and sliced policies as handles."""

    def __init__(self, *, policies: Mapping[str, str], schema: str, zones: frozenset[str]) -> None:
        """Build everything.

        Raises:
            PoliciesUnusable: see ``read_policies``.
        """
        self._schema = read_schema(schema)
        self._entities = _Entities(self._schema)
        self._said = frozenset(name for name in _YOUNGER if re.search(rf"^\s*{name}\s*:", schema, re.MULTILINE))
        self.policies: tuple[Policy, ...] = read_policies(policies, schema)
        self._slices = slices(self.policies, zones)
        self._finer: Finer | None = Finer(self.policies)
        self._timed = {action for policy in self.policies for action in Action if policy.timed(action)}
        self._moments: dict[str, tuple[int, ...] | None] = {
            action: _moments(self.policies, action) for action in self._timed
        }
        self._codes = {policy.id: policy.code for policy in self.policies}
        if not any(policy.forbids for policy in self.policies):
            raise PoliciesUnusable(why="there is no forbid at all, so nothing stops a disabled person")

    def timed(self, action: str) -> bool:
        """Whether an answer about this action may be another one later, all else being equal."""
        return action in self._timed

    def edge(self, action: str, at: int) -> int:
        """Until when an answer about this action given at ``at`` holds, in seconds since 1970; 0: until something else.

        Where nobody can tell, it is a minute.
        """
        if action not in self._timed:
            return 0
        known = self._moments[action]
        if known is None:
            return at + _UNKNOWN
        return next((moment for moment in known if moment > at), 0)

    def code(self, policy: str) -> Code | None:
        """What a forbid explains."""
        return self._codes[policy]

    def permits(self, origin: str, destination: str, action: str, resource_class: str) -> bool:
        """Whether any policy could permit this to anybody; where it could not, nobody needs the way."""
        place = (origin, destination, action)
        return Finer(self.policies).permits(place, resource_class=resource_class)

    def ask(self, request: DecisionRequest) -> Answer:
        """Evaluate; a question of no slice (unknown zone or action) is denied unasked."""
        place = (request.from_zone, request.to_zone, request.action)
        policies = self._slices.get(place)
        if policies is None:
            return Answer(allowed=False)
        try:
            if self._finer is not None:
                policies = self._finer.get(place, resource_class=request.resource_class, resource=request.resource)
            return self._evaluate(request, policies)
        except Exception:  # noqa: BLE001 - whatever goes wrong in here must deny, not surface
            return Answer(allowed=False, failed=True, failure="request")

    def _evaluate(self, request: DecisionRequest, policies: cedarpy.PolicySet) -> Answer:
        principal = {"type": _TYPES[request.principal_kind], "id": request.subject or request.principal_kind}
        target = {"type": "Target", "id": request.resource}
        result = cedarpy.is_authorized(
            {
                "principal": principal,
                "action": {"type": "Action", "id": request.action},
                "resource": target,
                # As text, which is shorter to make of it here than where it is taken.
                "context": orjson.dumps(self._circumstances(request)).decode(),
            },
            policies,
            self._entities.of(
                [
                    {"uid": principal, "attrs": _attributes(request), "parents": _roles(request)},
                    {
                        "uid": target,
                        "attrs": {
                            "owner": request.owner,
                            "classification": request.classification,
                            "required_assurance": request.required_assurance,
                        },
                        "parents": _groups(request),
                    },
                ]
            ),
            schema=self._schema,
        )
        names = result.diagnostics.id_annotations_by_reason
        reasons = tuple(sorted(names[reason] for reason in result.diagnostics.reasons))
        if result.decision is cedarpy.Decision.NoDecision or result.diagnostics.errors:
            failure = "evaluation" if result.diagnostics.errors else "no-decision"
            return Answer(allowed=False, reasons=reasons, failed=True, failure=failure)
        # Cedar names at least one permit for every Allow; one without is not believed.
        allowed = result.decision is cedarpy.Decision.Allow and bool(reasons)
        return Answer(allowed=allowed, reasons=reasons)

    def _circumstances(self, request: DecisionRequest) -> dict[str, Any]:
        younger = {
            "device_state": request.device_state,
            "acting_for": request.acting_for,
            "purpose": request.purpose,
        }
        if (request.acting_for or request.purpose) and self._said != younger.keys():
            # To decide as if nothing had been said would answer another question.
            raise ValueError("the schema knows no purpose")
        return {
            "from_zone": request.from_zone,
            "assurance": request.assurance,
            "methods": list(request.methods),
            "method": request.method,
            "device": bool(request.device),
            "path_public": request.path_public,
            "at": int(request.at.timestamp()),
            **{name: said for name, said in younger.items() if name in self._said},
        }


class _Entities:
    """Who asks and what for as Cedar reads them, kept by all that they say; safe for threads.

    Checked against the schema where they are read, which is nearly half of a question's cost.
    """

    def __init__(self, schema: cedarpy.Schema) -> None:
        self._schema = schema
        self._kept: dict[bytes, cedarpy.Entities] = {}
        self._lock = threading.Lock()

    def of(self, said: list[dict[str, Any]]) -> cedarpy.Entities:
        """Read them, or find what was read of the very same.

        Raises:
            ValueError: they are not of the schema.
        """
        text = orjson.dumps(said)
        found = self._kept.get(text)
        if found is None:
            found = cedarpy.Entities.from_json_str(text.decode(), schema=self._schema)
            with self._lock:
                while len(self._kept) >= _MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[text] = found
        return found


def _groups(request: DecisionRequest) -> list[dict[str, str]]:
    groups = [{"type": "Class", "id": request.resource_class}, {"type": "Zone", "id": request.to_zone}]
    # A schema that knows no record classes refuses a question about one, as an error.
    return [*groups, {"type": "RecordClass", "id": request.record_class}] if request.record_class else groups


def _attributes(request: DecisionRequest) -> dict[str, Any]:
    if request.principal_kind == "anonymous":
        return {}
    common: dict[str, Any] = {"subject": request.subject, "enabled": request.enabled}
    if request.principal_kind == "organisation":
        return common
    common["organisation"] = request.organisation
    if request.principal_kind != "person":
        return common
    return {
        **common,
        "proofing": request.proofing,
        "clearance": request.clearance,
        "mandates": sorted(request.mandates),
    }


def _roles(request: DecisionRequest) -> list[dict[str, str]]:
    if request.principal_kind != "person":
        return []
    return [{"type": "Role", "id": role} for role in sorted(request.roles)]
