# SPDX-License-Identifier: Apache-2.0
"""What is said: a letter in both languages, and the same for programs without names."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from string import Template

from .models import Due

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@([a-z0-9.-]+)", re.ASCII)
_TEMPLATES = Path(__file__).parents[1] / "templates" / "ca"
_ENDING, _REPLACING = (Template((_TEMPLATES / name).read_text("utf-8")) for name in ("ending.txt", "replacing.txt"))
_STATES = {True: ("to be replaced", "须更换"), False: ("revoked", "已吊销")}
_LONGEST_LOCAL, _LONGEST = 64, 254
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def allowed(address: str, domains: Sequence[str]) -> bool:
    """Whether it is one plain address at one of the domains; nothing else is ever written to."""
    found = _ADDRESS.fullmatch(address.strip()) if len(address) <= _LONGEST else None
    return found is not None and len(found[1]) <= _LONGEST_LOCAL and found[2] in domains


def letter(
    due: Due,
    *,
    to: Sequence[str],
    sender: str,
    domain: str,
    site: tuple[str, str],
    kind: tuple[str, str],
    where: str,
    at: datetime,
) -> EmailMessage:
    """A letter; ``site`` and ``kind`` are words in English and Chinese, ``where`` is where it is renewed."""
    ends = due.not_after.strftime("%Y-%m-%d %H:%M UTC")
    name = _CONTROL.sub(" ", due.name or due.subject)[:64]
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(_CONTROL.sub(" ", site[0])[:64], addr_spec=sender)
    message["To"] = [Address(addr_spec=each.strip()) for each in to]
    message["Subject"] = (
        f"证书须更换或已吊销 / Certificate {_STATES[due.good][0]}"
        if due.about
        else f"证书将于 {due.not_after:%Y-%m-%d} 到期 / Certificate ends on {due.not_after:%Y-%m-%d}"
    )
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{due.id}@{domain}>"
    # RFC 3834: no machine shall answer.
    message["Auto-Submitted"] = "auto-generated"
    state, state_zh = _STATES[due.good]
    text = (_REPLACING if due.about else _ENDING).substitute(
        site=site[0],
        site_zh=site[1],
        kind=kind[0],
        kind_zh=kind[1],
        name=name,
        ends=ends,
        serial=due.serial,
        where=where,
        state=state,
        state_zh=state_zh,
        explanation=due.about,
    )
    message.set_content(text, charset="utf-8", cte="base64")
    return message


def tidings(due: Due, *, site: str, at: datetime) -> bytes:
    """The same for programs, JSON: identifiers, no names."""
    data: Mapping[str, object] = {
        "site": site,
        "serial": due.serial,
        "profile": due.profile,
        "subject": due.subject,
        "not_after": due.not_after.isoformat(),
        **({"good": due.good, "explanation": due.about} if due.about else {"days": due.step}),
    }
    kind = "certificate.incident" if due.about else "certificate.expiring"
    body = {"type": kind, "timestamp": at.isoformat(), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
