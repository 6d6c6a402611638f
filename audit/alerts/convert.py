# SPDX-License-Identifier: Apache-2.0
"""A file of Sigma becomes SQL, exactly or not at all.

pySigma and its SQLite back end do the work. What they would do and we cannot evaluate as it is meant is refused here
by name: other modifiers and kinds than those listed, fields we do not have, correlations of correlations, conditions
that need something to be absent, windows of more than a day. A file stands for itself: its rules refer to no other.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import re2  # type: ignore[import-untyped]
import yaml
from sigma.backends.sqlite.correlation import CorrelationCompiler
from sigma.backends.sqlite.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.conversion.state import ConversionState
from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationRule,
)
from sigma.exceptions import SigmaError
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import AddConditionTransformation, FieldMappingTransformation
from sigma.rule import SigmaRule

from .errors import RuleRefused
from .fields import COLUMNS, COMPARED, ENTRY, MAPPING, SEALED, TABLE, TIME
from .models import Kind, Level, Predicate, Rule, Told

LONGEST = timedelta(hours=24)
"""Longest window of a correlation."""
LARGEST = 64 * 1024
"""Bytes of a file."""
MODIFIERS = frozenset(
    {"all", "cased", "contains", "endswith", "exists", "fieldref", "gt", "gte", "i", "lt", "lte", "m", "neq", "re",
     "s", "startswith"}
)  # fmt: skip
SERVICES = ("app", "audit", "ca", "directory", "gateway", "signatures", "sso")
_PRODUCT = "tallygate"
_QUIET = timedelta(hours=1)
_KINDS = {kind.value: kind for kind in (Kind.EVENT_COUNT, Kind.VALUE_COUNT, Kind.TEMPORAL, Kind.TEMPORAL_ORDERED)}
_MOST_LEAST = 1000
_DURATION = re.compile(r"([1-9][0-9]{0,4})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Our own part of a rule's file, under the key "tallygate".
_OURS = frozenset({"title_zh", "description_zh", "falsepositives_zh", "group", "quiet"})


class _Backend(sqliteBackend):
    """Leaves conditions bare: they are evaluated over what is new, and their hits kept."""

    def finalize_query_default(
        self, rule: SigmaRule | SigmaCorrelationRule, query: str, index: int, state: ConversionState
    ) -> str:
        del rule, index, state
        return query


def convert(content: bytes, *, file: str, shipped: bool) -> list[Rule]:
    """The rules of one file.

    Raises:
        RuleRefused: the first reason why one of them cannot be evaluated as it is written; none of the file is.
    """
    documents = _documents(content, file)
    titles = ", ".join(str(each.get("title", file)) for each in documents[-1:])
    try:
        return _convert(documents, content, file=file, shipped=shipped)
    except SigmaError as error:
        raise RuleRefused(rule=titles, why=str(error)) from error
    except re2.error as error:
        raise RuleRefused(rule=titles, why=f"a regular expression: {error}") from error
    except (NotImplementedError, TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        # The library meets some malformed rules with errors of the language.
        raise RuleRefused(rule=titles, why=f"it cannot be read: {error}") from error


def _convert(documents: Sequence[Mapping[str, Any]], content: bytes, *, file: str, shipped: bool) -> list[Rule]:
    for document in documents:
        _demand_plain(document)
    collection = SigmaCollection.from_dicts([dict(each) for each in documents])
    backend: Any = _Backend(  # type: ignore[no-untyped-call]
        processing_pipeline=_pipeline(), table=TABLE, timestamp_field=TIME, event_id_field=ENTRY,
        timestamp_format="unix_us",
    )  # fmt: skip
    backend.convert(collection)
    digest = hashlib.sha256(content).hexdigest()
    made: list[Rule] = []
    for rule in collection.rules:
        common = {"digest": digest, "file": file, "shipped": shipped, "text": content.decode()}
        if isinstance(rule, SigmaCorrelationRule):
            made.append(_correlation(rule, backend, common))
        else:
            fields = backend.required_fields(rule)
            _demand_fields(rule.title, fields)
            if not rule._backreferences or rule._output:  # noqa: SLF001 - whether it speaks for itself is nowhere else
                made.append(_single(rule, fields, common))
    return made


def _documents(content: bytes, file: str) -> list[dict[str, Any]]:
    if len(content) > LARGEST:
        raise RuleRefused(rule=file, why=f"the file is larger than {LARGEST} bytes")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(content.decode())):
            raise RuleRefused(rule=file, why="aliases of YAML are not taken")
        documents = [each for each in yaml.safe_load_all(content.decode()) if each is not None]
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise RuleRefused(rule=file, why=f"it is not YAML: {' '.join(str(error).split())}") from error
    if not documents or not all(isinstance(each, dict) for each in documents):
        raise RuleRefused(rule=file, why="it holds no rule")
    return documents


def _demand_plain(document: Mapping[str, Any]) -> None:
    """Refuse by its form what the library would turn into something else than is meant."""
    title = str(document.get("title", "?"))
    if "action" in document or "filter" in document:
        raise RuleRefused(rule=title, why="collections and filters of Sigma are not taken: change the rule itself")
    if "correlation" in document:
        return
    source = document.get("logsource")
    if not isinstance(source, Mapping) or source.get("product") != _PRODUCT or set(source) - {"product", "service"}:
        raise RuleRefused(rule=title, why=f"its log source must be product {_PRODUCT}, and a service at most")
    if source.get("service") not in (None, *SERVICES):
        raise RuleRefused(rule=title, why=f"there is no service {source['service']!r} here")
    for field in _selected(document.get("detection")):
        name, *modifiers = field.split("|")
        if not name:
            raise RuleRefused(rule=title, why="a value without a field would be searched for in everything")
        if strange := [each for each in modifiers if each not in MODIFIERS]:
            raise RuleRefused(rule=title, why=f"the modifier {strange[0]!r} of {name} is not supported")
    if isinstance(detection := document.get("detection"), Mapping) and "timeframe" in detection:
        raise RuleRefused(rule=title, why="a timeframe belongs into a correlation")


def _selected(detection: Any) -> Iterator[str]:
    """The field names, with modifiers, of every selection."""
    if not isinstance(detection, Mapping):
        return
    for name, selection in detection.items():
        if name == "condition":
            continue
        for part in selection if isinstance(selection, list) else [selection]:
            if isinstance(part, Mapping):
                yield from map(str, part)
            else:
                yield ""


def _pipeline() -> ProcessingPipeline:
    names: dict[str | None, str | list[str]] = dict(MAPPING.items())
    items = [ProcessingItem(FieldMappingTransformation(names))]
    items += [
        ProcessingItem(
            AddConditionTransformation({"source": service}),
            rule_conditions=[LogsourceCondition(product=_PRODUCT, service=service)],
        )
        for service in SERVICES
    ]
    return ProcessingPipeline(name="tallygate", items=items)


def _demand_fields(title: str, fields: Sequence[str]) -> None:
    for field in fields:
        if field in SEALED or field.removeprefix("unmapped.sealed.") in SEALED:
            raise RuleRefused(rule=title, why=f"{field} is personal and sealed: no rule may look at it")
        if field not in COLUMNS:
            raise RuleRefused(rule=title, why=f"there is no field {field} here")


def _single(rule: SigmaRule, fields: Sequence[str], common: Mapping[str, Any]) -> Rule:
    ours = _ours(rule)
    group = tuple(ours.get("group", ("subject", "actor", "object", "network")))
    _demand_fields(rule.title, group)
    compared = tuple(sorted({COMPARED[field] for field in fields if field in COMPARED}))
    return Rule(
        **common,
        **_head(rule, ours),
        kind=Kind.SINGLE,
        predicates=(Predicate(name=rule.title, condition=_condition(rule), group=group, compared=compared),),
        group=group,
        window=timedelta(0),
        quiet=_quiet(rule.title, ours) or _QUIET,
        least=1,
    )


def _correlation(rule: SigmaCorrelationRule, backend: Any, common: Mapping[str, Any]) -> Rule:
    title, condition = rule.title, rule.condition
    kind = _KINDS.get(rule.type.name.lower())
    if kind is None:
        raise RuleRefused(rule=title, why=f"the correlation {rule.type.name.lower()} is not supported")
    if not isinstance(condition, SigmaCorrelationCondition):
        raise RuleRefused(rule=title, why="a condition with names of rules is not supported")
    if condition.op not in (SigmaCorrelationConditionOperator.GTE, SigmaCorrelationConditionOperator.GT):
        raise RuleRefused(rule=title, why="only gte and gt: fewer than a number can only be said of what is over")
    least = int(condition.count) + int(condition.op is SigmaCorrelationConditionOperator.GT)
    if int(condition.count) != condition.count or not 1 <= least <= _MOST_LEAST:
        raise RuleRefused(rule=title, why=f"its number must be between 1 and {_MOST_LEAST}")
    window = timedelta(seconds=rule.timespan.seconds)
    if not timedelta(0) < window <= LONGEST:
        raise RuleRefused(rule=title, why="its window must be at most 24 hours")
    counted = condition.fieldref or ""
    if not isinstance(counted, str):
        raise RuleRefused(rule=title, why="values of several fields cannot be counted together")
    references = rule.referenced_rules
    if any(isinstance(each.rule, SigmaCorrelationRule) for each in references):
        raise RuleRefused(rule=title, why="a correlation of correlations is not supported")
    group = tuple(rule.group_by or ())
    predicates = tuple(
        Predicate(
            name=each.rule.title,
            condition=_condition(each.rule),
            group=tuple(_behind(rule, each, field) for field in group),
            counted=_behind(rule, each, counted) if counted else "",
        )
        for each in references
    )
    for predicate in predicates:
        _demand_fields(title, [*predicate.group, *filter(None, [predicate.counted])])
    ours = _ours(rule)
    if "group" in ours:
        raise RuleRefused(rule=title, why="a correlation says by group-by what belongs together")
    compiler: Any = CorrelationCompiler(backend, rule)  # type: ignore[no-untyped-call]
    _query, plan = compiler.compile()
    return Rule(
        **common,
        **_head(rule, ours),
        kind=kind,
        predicates=predicates,
        group=group,
        window=window,
        quiet=_quiet(title, ours) or window,
        least=least,
        plan=plan,
    )


def _behind(rule: SigmaCorrelationRule, reference: Any, field: str) -> str:
    """The field of one referred rule that a group's field stands for."""
    names = (reference.reference, reference.rule.name, str(reference.rule.id))
    for alias in rule.aliases:
        if alias.alias == field:
            for target, behind in alias.mapping.items():
                if target.reference in names:
                    return str(behind)
    return field


def _condition(rule: SigmaRule | SigmaCorrelationRule) -> str:
    found = [str(each) for each in rule.get_conversion_result()]
    return " OR ".join(f"({each})" for each in found)


def _head(rule: SigmaRule | SigmaCorrelationRule, ours: Mapping[str, Any]) -> dict[str, Any]:
    if rule.id is None:
        raise RuleRefused(rule=rule.title, why="it has no id")
    if rule.level is None:
        raise RuleRefused(rule=rule.title, why="it has no level")
    changed = rule.modified or rule.date
    if changed is None:
        raise RuleRefused(rule=rule.title, why="it has no date")
    told = Told(
        title=rule.title,
        title_zh=str(ours.get("title_zh", "")),
        description=rule.description or "",
        description_zh=str(ours.get("description_zh", "")),
        innocent=tuple(map(str, rule.falsepositives or ())),
        innocent_zh=tuple(map(str, ours.get("falsepositives_zh", ()))),
        tags=tuple(map(str, rule.tags or ())),
        author=rule.author or "",
    )
    return {"id": str(rule.id), "level": Level(rule.level.name.lower()), "told": told, "version": changed.isoformat()}


def _ours(rule: SigmaRule | SigmaCorrelationRule) -> Mapping[str, Any]:
    ours = rule.custom_attributes.get("tallygate", {})
    if not isinstance(ours, Mapping) or set(ours) - _OURS:
        raise RuleRefused(rule=rule.title, why="what stands under tallygate is not known here")
    for name in ("group", "falsepositives_zh"):
        if name in ours and not (isinstance(ours[name], list) and all(isinstance(each, str) for each in ours[name])):
            raise RuleRefused(rule=rule.title, why=f"tallygate: {name} must be a list")
    return ours


def _quiet(title: str, ours: Mapping[str, Any]) -> timedelta | None:
    if "quiet" not in ours:
        return None
    match = _DURATION.fullmatch(str(ours["quiet"]))
    if match is None:
        raise RuleRefused(rule=title, why="tallygate: quiet must be a time like 30m")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
