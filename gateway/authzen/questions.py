# SPDX-License-Identifier: Apache-2.0
"""A JSON object to a question."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from ..errors import NotAQuestion

Wanted = Literal["", "subject", "resource", "action"]
MOST = 100
"""Questions in one batch."""
LONGEST = 256
_KEYS = ("subject", "action", "resource", "context")


class Semantic(StrEnum):
    """How far a batch is followed."""

    ALL = "execute_all"
    FIRST_DENY = "deny_on_first_deny"
    FIRST_PERMIT = "permit_on_first_permit"

    def ends(self, decision: bool) -> bool:  # noqa: FBT001 - the answer itself
        """Whether nothing is asked after this answer."""
        return self is (Semantic.FIRST_PERMIT if decision else Semantic.FIRST_DENY)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A subject or a resource; ``id`` is empty where that is what is looked for."""

    type: str
    id: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question; what is looked for has no name yet."""

    subject: Named
    action: str
    resource: Named
    # Properties of the action, and of the context.
    doing: Mapping[str, Any]
    context: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Several questions in order; None stands for one that cannot be answered."""

    questions: tuple[Question | None, ...]
    semantic: Semantic


def question(document: Mapping[str, Any], *, wanted: Wanted = "") -> Question:
    """Read one question, or one with a part that is looked for.

    Raises:
        NotAQuestion: a part is missing or of the wrong kind.
    """
    doing: Mapping[str, Any] = {}
    name = ""
    if wanted != "action":
        action = _object(document, "action")
        name, doing = _text(action, "name", where="action"), _object(action, "properties", optional=True)
    return Question(
        subject=_named(document, "subject", wanted=wanted == "subject"),
        action=name,
        resource=_named(document, "resource", wanted=wanted == "resource"),
        doing=doing,
        context=_object(document, "context", optional=True),
    )


def batch(document: Mapping[str, Any]) -> Batch | None:
    """Read a batch; None where it is a single question in fact.

    Raises:
        NotAQuestion: the frame is wrong; a question that is makes its own answer a denial.
    """
    options = _object(document, "options", optional=True)
    try:
        semantic = Semantic(options.get("evaluations_semantic", Semantic.ALL))
    except ValueError as error:
        raise NotAQuestion(field="options.evaluations_semantic") from error
    items = document.get("evaluations")
    if items is None or items == []:
        return None
    if not isinstance(items, list) or len(items) > MOST:
        raise NotAQuestion(field="evaluations")
    return Batch(questions=tuple(_items(items, document)), semantic=semantic)


def _items(items: list[Any], document: Mapping[str, Any]) -> Iterator[Question | None]:
    # A key that an item has replaces the one above whole; nothing is merged.
    above = {key: document[key] for key in _KEYS if key in document}
    for item in items:
        try:
            yield question({**above, **item}) if isinstance(item, dict) else None
        except NotAQuestion:
            yield None


def _object(document: Mapping[str, Any], name: str, *, optional: bool = False) -> Mapping[str, Any]:
    found = document.get(name)
    if found is None and optional and name not in document:
        return {}
    if not isinstance(found, dict):
        raise NotAQuestion(field=name)
    return found


def _named(document: Mapping[str, Any], name: str, *, wanted: bool) -> Named:
    found = _object(document, name)
    return Named(
        type=_text(found, "type", where=name),
        # Of what is looked for a name is ignored.
        id="" if wanted else _text(found, "id", where=name),
        properties=_object(found, "properties", optional=True),
    )


def _text(document: Mapping[str, Any], name: str, *, where: str) -> str:
    found = document.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST or not found.isprintable():
        raise NotAQuestion(field=f"{where}.{name}")
    return found
