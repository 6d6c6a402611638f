# SPDX-License-Identifier: Apache-2.0
"""Cedar text to policies with names: each has a unique `@id`, each forbid an explanation, and all pass the lint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import cedarpy
from cedarpy import pst

from ..errors import PoliciesUnusable
from ..models import Code
from .lint import moments, optional_attributes, reads_time, unsafe_presence_test

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
# Of the schema as Cedar writes it; what else looks like it costs a little and decides nothing.
_GROUPS = re.compile(r"\baction\b[^{]*?\bin\b")


@dataclass(frozen=True)
class Policy:
    """One static policy of a release."""

    id: str
    # What a page explains when this forbid decided; None for permits.
    code: Code | None
    tree: pst.Template
    # Who answers for it, and why it stands there; released only with both.
    owner: str = ""
    reason: str = ""
    # Whether the schema puts actions into groups: one that is named may then stand for any other.
    grouped: bool = False

    @property
    def forbids(self) -> bool:
        """Whether it takes away."""
        return self.tree.effect == "forbid"

    def moments(self, action: str) -> frozenset[int] | None:
        """When what it says about this action may change, in seconds since 1970; None if that cannot be told."""
        if not self.timed(action):
            return frozenset()
        found: set[int] = set()
        for clause in self.tree.clauses:
            these = moments(clause.expr)
            if these is None:
                return None
            found |= these
        return frozenset(found)

    def timed(self, action: str) -> bool:
        """Whether it reads the time of questions about this action."""
        return self.concerns(action) and any(reads_time(clause.expr) for clause in self.tree.clauses)

    def concerns(self, action: str) -> bool:
        """Whether it could be about this action, as far as its scope says."""
        match self.tree.action:
            case pst.ActionEq(entity=one):
                return one.id == action
            case pst.ActionIn(entities=several):
                return self.grouped or action in {one.id for one in several}
            case _:
                return True


def read_schema(text: str) -> cedarpy.Schema:
    """Parse the schema.

    Raises:
        PoliciesUnusable: it does not parse.
    """
    try:
        return cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise PoliciesUnusable(why=f"schema: {error}") from error


def read_policies(files: Mapping[str, str], schema_text: str) -> tuple[Policy, ...]:
    """Parse, validate against the schema and lint all files of a release.

    Raises:
        PoliciesUnusable: with the file or policy and the reason.
    """
    schema = read_schema(schema_text)
    optional, grouped = optional_attributes(schema_text), bool(_GROUPS.search(str(schema)))
    found: dict[str, Policy] = {}
    for name, text in sorted(files.items()):
        try:
            tree = cedarpy.PolicySet.from_str(text).to_pst()
        except ValueError as error:
            raise PoliciesUnusable(why=f"{name}: {error}") from error
        if tree.templates:
            raise PoliciesUnusable(why=f"{name}: templates are not used here")
        validation = cedarpy.validate_policies(text, schema)
        if not validation.validation_passed:
            raise PoliciesUnusable(why=f"{name}: {'; '.join(str(error) for error in validation.errors)}")
        for template in tree.static_policies.values():
            policy = _policy(name, template, grouped=grouped)
            if policy.id in found:
                raise PoliciesUnusable(why=f"{name}: two policies are called {policy.id}")
            attribute = unsafe_presence_test(template, optional) if policy.forbids else None
            if attribute:
                raise PoliciesUnusable(why=f"{name}: {policy.id} forbids nothing where “{attribute}” is missing")
            found[policy.id] = policy
    return tuple(found.values())


def _policy(file: str, tree: pst.Template, *, grouped: bool) -> Policy:
    identifier = tree.annotations.get("id", "")
    if not _ID.fullmatch(identifier):
        raise PoliciesUnusable(why=f"{file}: {tree.id} has no usable @id")
    owner, reason = tree.annotations.get("owner", "").strip(), tree.annotations.get("reason", "").strip()
    if tree.effect == "permit":
        return Policy(identifier, None, tree, owner, reason, grouped)
    try:
        return Policy(identifier, Code(tree.annotations.get("code", "")), tree, owner, reason, grouped)
    except ValueError as error:
        raise PoliciesUnusable(why=f"{file}: {identifier} explains itself with no known @code") from error
