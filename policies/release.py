# SPDX-License-Identifier: Apache-2.0
"""One release in memory: rules, matrix and cases built together, usable only if every case passes."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from .cases import failures, read_cases
from .engine import Needless, Policy, Ruleset, meaningless, needless
from .errors import PoliciesUnusable
from .explain import Reason, explain
from .models import Code, Decision, DecisionRequest
from .zones import Kind, Live, RowRemark, ZoneMatrix, remarks

SCHEMA = "schema.cedarschema"
ZONES = "zones.toml"
CASES = ("cases.toml", "cases.csv")


class Release:
    """Decides; immutable."""

    def __init__(self, files: Mapping[str, bytes], *, version: str) -> None:
        """Build from a bundle's files; does not run the cases.

        Raises:
            PoliciesUnusable: a file is missing, does not parse, validate or pass the lint.
        """
        missing = {SCHEMA, ZONES, *CASES} - set(files)
        if missing:
            raise PoliciesUnusable(why=f"{', '.join(sorted(missing))} missing")
        self.version = version
        self._matrix = ZoneMatrix.read(files[ZONES])
        try:
            texts = {name: content.decode("utf-8") for name, content in files.items() if name.endswith(".cedar")}
            schema = files[SCHEMA].decode("utf-8")
        except UnicodeDecodeError as error:
            raise PoliciesUnusable(why=str(error)) from error
        self._rules = Ruleset(policies=texts, schema=schema, zones=self._matrix.zones)
        self._cases = read_cases(*(files[name] for name in CASES))

    @classmethod
    def proved(cls, files: Mapping[str, bytes], *, version: str) -> "Release":
        """Build and run every case.

        Raises:
            PoliciesUnusable: also with the first cases that fail.
        """
        release = cls(files, version=version)
        wrong = release.failures()
        if wrong:
            raise PoliciesUnusable(why="; ".join(wrong[:5]))
        return release

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of all policies."""
        return tuple(policy.id for policy in self._rules.policies)

    @property
    def rules(self) -> tuple[Policy, ...]:
        """Every policy, with who answers for it and why."""
        return self._rules.policies

    @property
    def zones(self) -> frozenset[str]:
        """Names of all zones."""
        return self._matrix.zones

    def place(self, *, listener: str, address: str, peer: str = "") -> str:
        """The zone a request comes from; empty if from nowhere that is allowed."""
        return self._matrix.places.place(listener=listener, address=address, peer=peer)

    def speaks(self, peer: str) -> bool:
        """Whether a certificate is one of a proxy that speaks for a zone."""
        return self._matrix.places.speaks(peer)

    def spoken_for(self, listener: str) -> frozenset[str]:
        """Zones that a proxy may speak for at a listener."""
        return self._matrix.places.spoken_for(listener)

    def kind(self, origin: str, destination: str) -> Kind:
        """How two zones are joined."""
        return self._matrix.kind(origin, destination)

    @property
    def number_of_cases(self) -> int:
        """How many lines the table has."""
        return len(self._cases)

    @property
    def questions(self) -> tuple[DecisionRequest, ...]:
        """What the table asks."""
        return tuple(case.request for case in self._cases)

    def timed(self, action: str) -> bool:
        """Whether an answer about this action may be another one later, all else being equal."""
        return self._rules.timed(action)

    def edge(self, action: str, at: datetime) -> int:
        """Until when an answer about this action holds, in seconds since 1970; 0 if no time ends it."""
        return self._rules.edge(action, int(at.timestamp()))

    def unexplained(self) -> list[str]:
        """Policies that say no owner or no reason: they decide if they are in force, and are not released anew."""
        return [
            f"{policy.id} names no @owner and no @reason"
            for policy in self._rules.policies
            if not (policy.owner and policy.reason)
        ]

    def needless(self) -> tuple[Needless, ...]:
        """Policies that others make superfluous, or that can do nothing at all."""
        return _needless(self._rules.policies)

    def rows(self) -> tuple[Live, ...]:
        """The rows of the zone matrix."""
        return self._matrix.rows

    def row(self, request: DecisionRequest) -> tuple[str, bool]:
        """Which row answers a question, and whether it lets it pass."""
        passage = self._matrix.passage(request)
        return passage.row, passage.code is None

    def rows_remarked(self) -> tuple[RowRemark, ...]:
        """Rows that could be one, or that let pass what no policy permits."""
        return remarks(self._matrix.rows, self._rules.permits)

    def failures(self) -> list[str]:
        """What the table finds wrong."""
        return failures(self._cases, self.decide, self.policies)

    def decide(self, request: DecisionRequest) -> Decision:
        """Answer with the matrix and Cedar side by side; both must allow."""
        passage = self._matrix.passage(request)
        answer = self._rules.ask(request)
        if answer.failed:
            return self._denied(Reason(code=Code.ERROR), (*answer.reasons, f"error:{answer.failure}"))
        if passage.code is None and answer.allowed:
            return Decision(allowed=True, code=Code.ALLOWED, reasons=answer.reasons, step_up=None, version=self.version)
        blocked = () if passage.code is None else (f"zone:{passage.row}",)
        # A permit is no reason for a denial that only the matrix made.
        forbids = () if answer.allowed else answer.reasons
        return self._denied(explain(request, rules=self._rules, matrix=self._matrix), (*blocked, *forbids))

    def _denied(self, reason: Reason, reasons: tuple[str, ...]) -> Decision:
        return Decision(
            allowed=False,
            code=reason.code,
            reasons=reasons,
            step_up=reason.step_up,
            version=self.version,
            could=reason.could,
        )


def differing(before: Release, after: Release) -> list[str]:
    """Each policy and each row of the zone matrix that one has and the other has not, or has otherwise."""
    one, other = _by_name(before), _by_name(after)
    return [
        f"{'ADDED' if name not in one else 'REMOVED' if name not in other else 'CHANGED'} {name}"
        for name in sorted(one.keys() | other.keys())
        if name not in one or name not in other or one[name] != other[name]
    ]


def _by_name(release: Release) -> dict[str, object]:
    """What each policy and row says; where in its file a policy stands does not count."""
    said: dict[str, object] = {
        each.id: (
            each.tree.effect, each.tree.principal, each.tree.action, each.tree.resource, tuple(each.tree.clauses),
            each.code, each.owner, each.reason,
        )
        for each in release.rules
    }  # fmt: skip
    return said | {f"zone:{row.id}": row for row in release.rows()}


@lru_cache(maxsize=4)
def _needless(policies: tuple[Policy, ...]) -> tuple[Needless, ...]:
    """Found once for the same policies: every pair is compared, for a second, and pages ask again and again."""
    return (*needless(policies), *meaningless(policies))
