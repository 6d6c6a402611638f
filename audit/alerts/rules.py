# SPDX-License-Identifier: Apache-2.0
"""The rules in force: ours, and those of the site, which add to ours or replace them by their id.

A rule that cannot be evaluated as it is written is refused by name and reason; the others go on. Where a site's rule
replaces one of ours and is refused, ours stays in force: an alert too many is better than none.
"""

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from .convert import LARGEST, convert
from .errors import RuleRefused
from .models import Refused, Rule, RuleStanding, Told

SHIPPED = Path(__file__).parent / "rules"
_ENDINGS = frozenset({".yml", ".yaml"})


@dataclass(frozen=True, kw_only=True)
class RuleSet:
    """What is evaluated, what is switched off, and what is refused."""

    rules: Sequence[Rule]
    off: Sequence[Rule] = ()
    refused: Sequence[Refused] = ()

    @property
    def digest(self) -> str:
        """Changes whenever what is evaluated does."""
        parts = [f"{rule.id} {rule.digest}" for rule in self.rules]
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()

    @property
    def standings(self) -> list[RuleStanding]:
        """Every rule as officers see it, before it was ever evaluated."""
        made = [_standing(rule, on=True) for rule in self.rules] + [_standing(rule, on=False) for rule in self.off]
        made.sort(key=lambda each: (each.told.title, each.id))
        return [_refused(each) for each in self.refused] + made


def load(site: Path | None, *, off: AbstractSet[str] = frozenset(), shipped: Path | None = SHIPPED) -> RuleSet:
    """Read and convert every rule; ``off`` are identifiers of rules that are not evaluated."""
    refused: list[Refused] = []
    found: dict[str, Rule] = {}
    for folder, ours in ((shipped, True), (site, False)):
        if folder is None:
            continue
        own: dict[str, Rule] = {}
        for path in _files(folder, refused):
            for rule in _read(path, ours=ours, refused=refused):
                if rule.id in own:
                    why = f"{own[rule.id].file} has its id"
                    refused.append(Refused(file=path.name, title=rule.told.title, why=why, id=rule.id))
                else:
                    own[rule.id] = rule
        found |= own
    unknown = sorted(off - found.keys())
    refused += [Refused(file="", title=each, id=each, why="no rule of this id can be switched off") for each in unknown]
    ordered = sorted(found.values(), key=lambda rule: (rule.file, rule.id))
    return RuleSet(
        rules=[rule for rule in ordered if rule.id not in off],
        off=[rule for rule in ordered if rule.id in off],
        refused=refused,
    )


def _files(folder: Path, refused: list[Refused]) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS and not path.name.startswith("."))
    except OSError as error:
        refused.append(Refused(file=str(folder), title=str(folder), why=error.strerror or "it cannot be read"))
        return []


def _read(path: Path, *, ours: bool, refused: list[Refused]) -> list[Rule]:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        return convert(content, file=path.name, shipped=ours)
    except RuleRefused as error:
        refused.append(Refused(file=path.name, title=str(error.parameters["rule"]), why=str(error.parameters["why"])))
    except OSError as error:
        refused.append(Refused(file=path.name, title=path.name, why=error.strerror or "it cannot be read"))
    return []


def _standing(rule: Rule, *, on: bool) -> RuleStanding:
    return RuleStanding(
        id=rule.id,
        file=rule.file,
        shipped=rule.shipped,
        on=on,
        told=rule.told,
        level=rule.level,
        kind=rule.kind,
        version=rule.version,
        digest=rule.digest,
        query=rule.query,
        text=rule.text,
        error="",
        evaluated=None,
    )


def _refused(refused: Refused) -> RuleStanding:
    return RuleStanding(
        id=refused.id,
        file=refused.file,
        shipped=False,
        on=False,
        told=Told(title=refused.title),
        level=None,
        kind=None,
        version="",
        digest="",
        query="",
        text="",
        error=refused.why,
        evaluated=None,
    )
