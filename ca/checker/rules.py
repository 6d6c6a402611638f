# SPDX-License-Identifier: Apache-2.0
"""What each profile's file allows, read by this checker alone: expressions and sets that a certificate must match."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PLACEHOLDER = re.compile(r"\{([a-z-]+)\}")
_USAGE = {
    "digital-signature": "digital_signature",
    "content-commitment": "non_repudiation",
    "key-encipherment": "key_encipherment",
}
_EXTENDED = {
    "client-auth": "1.3.6.1.5.5.7.3.2",
    "server-auth": "1.3.6.1.5.5.7.3.1",
    "smart-card-logon": "1.3.6.1.4.1.311.20.2.2",
    "document-signing": "1.3.6.1.5.5.7.3.36",
    "ocsp-signing": "1.3.6.1.5.5.7.3.9",
    "time-stamping": "1.3.6.1.5.5.7.3.8",
}
_ATTRIBUTES = {
    "country": "2.5.4.6",
    "organisation": "2.5.4.10",
    "organisation-identifier": "2.5.4.97",
    "serial-number": "2.5.4.5",
    "common-name": "2.5.4.3",
}


@dataclass(frozen=True)
class Part:
    """One attribute of the subject's name."""

    oid: str
    template: str
    optional: bool


@dataclass(frozen=True)
class Excuse:
    """A finding of lint that is right all the same."""

    code: str
    about: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a certificate of one profile must be."""

    name: str
    policy: str
    issuers: frozenset[str]
    subject: str
    seconds: int
    keys: frozenset[str]
    usage: frozenset[str]
    extended: frozenset[str]
    extended_critical: bool
    no_check: bool
    hosts: bool
    names: tuple[Part, ...]
    # Kind ("uri" or "upn") and template.
    alternatives: tuple[tuple[str, str], ...]
    excuses: tuple[Excuse, ...]


def read_rules(folder: Path, *, oid_base: str) -> Mapping[str, Rule]:
    """Every profile of a folder."""
    return {path.stem: _rule(tomllib.loads(path.read_text("utf-8")), oid_base) for path in folder.glob("*.toml")}


def _rule(said: Mapping[str, Any], base: str) -> Rule:
    policy = str(said["policy"])
    return Rule(
        name=said["name"],
        policy=base + policy[len("site") :] if policy.startswith("site.") else policy,
        issuers=frozenset(said["issuers"]),
        subject=said["subject"],
        seconds=86_400 * said["validity_days"],
        keys=frozenset(said["keys"]),
        usage=frozenset(_USAGE[each] for each in said["usage"]),
        extended=frozenset(_EXTENDED[each] for each in said["extended"]),
        extended_critical=said.get("extended_critical", False),
        no_check=said.get("no_check", False),
        hosts=said.get("hosts", "none") == "required",
        names=tuple(
            Part(_ATTRIBUTES[each["attribute"]], each["value"], each.get("optional", False)) for each in said["names"]
        ),
        alternatives=tuple((each["kind"], each["value"]) for each in said.get("alternatives", ())),
        excuses=tuple(Excuse(each["code"], each["about"]) for each in said.get("exceptions", ())),
    )


def expression(template: str, known: Mapping[str, str]) -> re.Pattern[str]:
    """What a template can become: what is known stands there as it is, anything else is some text."""
    parts, place = [], 0
    for found in _PLACEHOLDER.finditer(template):
        parts.append(re.escape(template[place : found.start()]))
        parts.append(re.escape(known[found[1]]) if found[1] in known else r"[^\x00-\x1f\x7f]+")
        place = found.end()
    return re.compile("".join([*parts, re.escape(template[place:])]))
