# SPDX-License-Identifier: Apache-2.0
"""The entry of a decision: who was let where is told to the record before anybody else."""

import ipaddress
from datetime import datetime

from audit import Event, Outcome, encode_event
from core.site import SiteSettings

from ..config import LISTENERS, METHODS
from ..models import Question, Ruling
from .familiar import Known, learned, values

_LEARNS = 2
"""The event of one ruling by which the writing of those that follow is learned: many a ruling is made once."""


def encoded(question: Question, ruling: Ruling, known: Known | None, *, number: str, at: datetime) -> bytes:
    """The event of a ruling; where one like it was written before, only what differs is."""
    if known is not None and ruling.target is not None:
        known.events += 1
        if known.events == _LEARNS:
            known.written = learned(question, ruling, event_of, at=at)
        if known.written is not None:
            given = values(question, ruling.target.path, number=number, at=at)
            if given is not None:
                return known.written.made(given)
    return encode_event(event_of(question, ruling, number=number, at=at))


def event_of(question: Question, ruling: Ruling, *, number: str, at: datetime) -> Event:
    """What the record is told."""
    caller = ruling.caller
    attributes: dict[str, str | int | bool] = {"reason": str(ruling.reason or "allowed"), "assurance": caller.assurance}
    if question.number:
        attributes["request"] = question.number
    if question.unverified_method in METHODS:
        attributes["method"] = question.unverified_method
    if caller.credential:
        attributes["credential"] = caller.credential
    if caller.methods:
        attributes["amr"] = " ".join(caller.methods)
    if caller.client:
        attributes["client"] = caller.client
    if caller.mandate:
        attributes["mandate"] = caller.mandate
    if ruling.policies:
        attributes["policies"] = " ".join(ruling.policies)
    if ruling.route is not None:
        attributes["to_zone"] = ruling.route.zone
    attributes |= ruling.asked
    sealed: dict[str, str] = {}
    if caller.subject:
        # Where somebody went is as personal as who it was.
        sealed = {"name": caller.name, "address": question.address}
        if caller.name_zh:
            sealed["name_zh"] = caller.name_zh
        if ruling.target is not None:
            sealed["path"] = ruling.target.path
    else:
        attributes["network"] = network(question.address)
    return Event(
        key=number,
        type="gateway.decision",
        outcome=Outcome.SUCCESS if ruling.allowed else Outcome.DENIED,
        at=at,
        source="gateway",
        subject=caller.subject,
        object=ruling.resource,
        organisation=caller.organisation,
        session=caller.session,
        zone=ruling.zone or question.listener,
        decision=number,
        policy=ruling.version,
        attributes=attributes,
        sealed=sealed,
    )


def way_in(site: SiteSettings, question: Question, peer: str = "") -> dict[str, str | int | bool]:
    """By which door, speaking what, and through whom."""
    if question.listener not in LISTENERS:
        return {}
    said: dict[str, str | int | bool] = {
        "port": getattr(site.ports, question.listener),
        "protocol": spoken(question),
    }
    return said | {"peer": peer} if peer else said


def spoken(question: Question) -> str:
    """What is spoken."""
    return "websocket" if question.upgrade else "https"


def network(address: str) -> str:
    """The /24 or /48 an address lies in: not personal. Empty for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))  # noqa: PLR2004 - IP version
