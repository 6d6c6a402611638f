# SPDX-License-Identifier: Apache-2.0
"""What each level needs, as data, and the record of one vetting; pure."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Way(StrEnum):
    """How the person was met."""

    IN_PERSON = "in-person"
    # Another provider of identities vouches, at a level of its own that was agreed.
    UPSTREAM = "upstream"
    # They signed with a certificate issued to them before.
    CERTIFICATE = "certificate"


class Evidence(StrEnum):
    """What was looked at."""

    DECLARATION = "declaration"
    IDENTITY_CARD = "identity-card"
    PASSPORT = "passport"
    RESIDENCE_PERMIT = "residence-permit"
    HOUSEHOLD_REGISTER = "household-register"
    CHIP = "chip"
    FACE = "face"
    STATEMENT = "statement"
    SIGNATURE = "signature"


class VettingState(StrEnum):
    """How a vetting stands."""

    # A second officer is to agree.
    WAITING = "waiting"
    HOLDS = "holds"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, kw_only=True)
class Need:
    """One way to a level: at least one kind of evidence out of each group."""

    level: int
    way: Way
    groups: tuple[frozenset[Evidence], ...]


_PHOTO = frozenset({Evidence.IDENTITY_CARD, Evidence.PASSPORT, Evidence.RESIDENCE_PERMIT})
EVIDENCE = (
    Need(level=1, way=Way.IN_PERSON, groups=(frozenset({Evidence.DECLARATION}) | _PHOTO,)),
    Need(level=1, way=Way.UPSTREAM, groups=(frozenset({Evidence.STATEMENT}),)),
    Need(level=2, way=Way.IN_PERSON, groups=(_PHOTO,)),
    Need(level=2, way=Way.UPSTREAM, groups=(frozenset({Evidence.STATEMENT}), _PHOTO)),
    Need(level=2, way=Way.CERTIFICATE, groups=(frozenset({Evidence.SIGNATURE}),)),
    # Face to face, with a document that proves itself or a second one that agrees with it.
    Need(
        level=3,
        way=Way.IN_PERSON,
        groups=(_PHOTO, frozenset({Evidence.FACE}), frozenset({Evidence.CHIP, Evidence.HOUSEHOLD_REGISTER})),
    ),
)
"""Every way to every level; no other way leads there. Nobody reaches the highest level without being seen."""

LEVELS = (1, 2, 3)
_DAYS = {1: 3650, 2: 1825, 3: 1825}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a site settles about proofings."""

    # How long a proofing of each level counts.
    days: Mapping[int, int] = field(default_factory=lambda: _DAYS)
    # How long before its end somebody is asked to be proofed anew.
    due: int = 60
    # From which level on a second officer is always needed; one above the highest: only for one's own family name.
    two_from: int = 4


@dataclass(frozen=True, kw_only=True)
class Vetting:
    """One record: who was vetted, by whom, how, by what, and until when it counts."""

    id: str
    subject: str
    level: int
    way: Way
    kinds: frozenset[Evidence]
    # Reference to the evidence in the registrar's files; sealed where it is kept.
    reference: str
    by: str
    second: str = ""
    day: dt.date
    until: dt.date
    state: VettingState = VettingState.HOLDS
    needs_second: bool = False


def carries(level: int, way: Way, kinds: Iterable[Evidence]) -> bool:
    """Whether this evidence, met in this way, is enough for this level."""
    held = frozenset(kinds)
    return any(
        need.level == level and need.way is way and all(group & held for group in need.groups) for need in EVIDENCE
    )


# Family names of two characters that are in use; every other one is of one character.
_COMPOUND = frozenset(
    {
        "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛",
        "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容",
        "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "令狐", "百里", "东郭", "呼延",
    }
)  # fmt: skip


def family_names(name: str, name_zh: str) -> frozenset[str]:
    """What may be somebody's family name; of a name in Latin script the first and the last word, as both are usual."""
    found = set()
    chinese = name_zh.strip()
    if chinese:
        found.add(chinese[:2] if chinese[:2] in _COMPOUND else chinese[0])
    words = [word.casefold() for word in name.replace(",", " ").split()]
    if words:
        found |= {words[0], words[-1]}
    return frozenset(found)
