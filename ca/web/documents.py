# SPDX-License-Identifier: Apache-2.0
"""Requests, previews and tables of devices as JSON, and JSON as what is asked; the description is in `ca.openapi`."""

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import request

from core.web import json_object
from core.web.inputs import Malformed

from ..models import Preview, Reason
from ..registration import Approval, Asked, Evidence
from ..registration.bulk import LONGEST_FILE, Job, JobState, Line, LineState, read_upload
from ..registration.bulk.models import Row
from ..x509 import PROFILES

LONGEST = 200
TABLES = ("text/csv", "application/zip")


def known(document: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The document, if it says nothing else.

    Raises:
        Malformed: it does.
    """
    for name in document:
        if name not in names:
            raise Malformed(field=name[:LONGEST])
    return document


def asked_for(*names: str) -> dict[str, Any]:
    """The body, a JSON object with no other names than these."""
    return known(json_object(), frozenset(names))


def text(document: Mapping[str, Any], name: str, *, longest: int = LONGEST, optional: bool = False) -> str:
    """One text of a document.

    Raises:
        Malformed: it is missing, empty, too long or not printable.
    """
    value = document.get(name, "" if optional else None)
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise Malformed(field=name)
    if not value.strip() and not optional:
        raise Malformed(field=name)
    return value


def octets(document: Mapping[str, Any], name: str) -> bytes:
    """Base64 in a document.

    Raises:
        Malformed: it is none.
    """
    value = document.get(name)
    if not isinstance(value, str):
        raise Malformed(field=name)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(field=name) from error


def evidence_in(document: Mapping[str, Any]) -> tuple[Evidence, str]:
    """Kind and reference of the evidence.

    Raises:
        Malformed: no kind that an officer may say, or no reference.
    """
    try:
        evidence = Evidence(text(document, "evidence"))
    except ValueError as error:
        raise Malformed(field="evidence") from error
    if evidence is Evidence.DIRECTORY:
        raise Malformed(field="evidence")
    return evidence, text(document, "reference").strip()


def reason_in(document: Mapping[str, Any]) -> Reason:
    """Why a certificate is revoked.

    Raises:
        Malformed: none of the reasons.
    """
    try:
        return Reason(text(document, "reason"))
    except ValueError as error:
        raise Malformed(field="reason") from error


def uploaded_table() -> list[Row]:
    """The body, a table of devices.

    Raises:
        Malformed: of another kind than it may be.
        FileRefused: it cannot be understood.
    """
    if request.mimetype not in TABLES:
        raise Malformed(field="Content-Type")
    request.max_content_length = LONGEST_FILE
    return read_upload(request.get_data(cache=False))


def request_document(asked: Asked) -> dict[str, Any]:
    """A request, as lists have it."""
    return {
        "id": asked.id,
        "stage": asked.stage.value,
        "profile": asked.profile,
        "subject": asked.subject,
        "organisation": asked.organisation,
        "name": asked.name,
        "asker": asked.asker,
        "at": asked.at.isoformat(),
        "expires": asked.expires.isoformat(),
        "key_hash": asked.key_hash,
        "evidence": asked.evidence.value if asked.evidence else None,
        "reference": asked.reference,
        "evidence_by": asked.evidence_by,
        "closed": _moment(asked.closed),
        "closed_by": asked.closed_by,
        "reason": asked.reason,
        "failure": asked.failure,
        "serial": asked.serial,
    }


def detail_document(asked: Asked, preview: Preview | None, counting: Collection[Approval]) -> dict[str, Any]:
    """A request whole: what would be issued now, if anything would, and who has agreed."""
    over = not asked.open
    return {
        **request_document(asked),
        "csr": base64.b64encode(asked.csr).decode(),
        "preview": preview_document(preview) if preview else None,
        "approvals_needed": PROFILES[asked.profile].approvals,
        "approvals": [approval_document(each, counts=over or each in counting) for each in asked.approvals],
    }


def preview_document(preview: Preview) -> dict[str, Any]:
    """What would be issued, with the digest that an officer agrees to."""
    found = asdict(preview)
    for name in ("names", "alternatives"):
        found[name] = [{"kind": kind, "value": value} for kind, value in found[name]]
    return {**found, "digest": preview.digest}


def approval_document(approval: Approval, *, counts: bool) -> dict[str, Any]:
    """One officer's word."""
    return {
        "officer": approval.officer,
        "digest": approval.digest,
        "at": approval.at.isoformat(),
        "assurance": approval.assurance,
        "zone": approval.zone,
        "counts": counts and not approval.void,
    }


def job_document(job: Job, counting: Collection[Approval]) -> dict[str, Any]:
    """A table of devices."""
    decided = job.state is not JobState.WAITING
    return {
        "id": job.id,
        "state": job.state.value,
        "profile": job.profile,
        "name": job.name,
        "asker": job.asker,
        "reference": job.reference,
        "digest": job.digest,
        "at": job.at.isoformat(),
        "closed": _moment(job.closed),
        "closed_by": job.closed_by,
        "lines": job.total,
        **{state.value: job.counts.get(state, 0) for state in LineState},
        "approvals_needed": PROFILES[job.profile].approvals,
        "approvals": [approval_document(each, counts=each in counting or decided) for each in job.approvals],
    }


def line_document(line: Line, said: str) -> dict[str, Any]:
    """One line, and why it was refused."""
    return {
        "line": line.number,
        "device": line.device,
        "name": line.name,
        "hosts": list(line.hosts),
        "key_hash": line.key_hash,
        "state": line.state.value,
        "serial": line.serial,
        "code": line.code,
        "reason": said,
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
