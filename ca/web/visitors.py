# SPDX-License-Identifier: Apache-2.0
"""What the pages of the desk and of holders share: who looks, and how an error is said on a page."""

from dataclasses import dataclass
from typing import Protocol

from flask import request

from core.errors import Kind, TallygateError
from core.web import _
from core.web.guard import V
from core.web.inputs import Malformed
from directory import Person

from ..service import DirectorySource
from ..x509.request import LONGEST
from . import words

SHOWN_AGAIN = frozenset({Kind.INVALID, Kind.CONFLICT, Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.TOO_MANY})
"""Kinds of errors that are said on the page where they arose."""


class PersonSource(DirectorySource, Protocol):
    """The directory with the lookup a person at a desk needs."""

    def person_by_username(self, username: str, /) -> Person:
        """The person of that user name."""
        ...


class Marking(Protocol):
    """A guard's mark, as the guard made it."""

    def __call__(self, view: V, /) -> V:
        """Mark one view."""
        ...


@dataclass(frozen=True)
class Officer:
    """Who is at the desk."""

    subject: str
    roles: frozenset[str]
    assurance: int
    zone: str


def said(error: TallygateError) -> str:
    """An error as a page says it."""
    # Parameters of ours are texts of the catalogue too: reasons, rules.
    parameters = {
        key: _(words.RULES.get(value, value)) if isinstance(value, str) and value else value
        for key, value in error.parameters.items()
    }
    return _(error.message) % parameters if parameters else _(error.message)


def uploaded_request() -> bytes:
    """A certificate request from a form: a file or pasted text, not both.

    Raises:
        Malformed: neither, or both.
    """
    upload = request.files.get("file")
    content = upload.read(LONGEST + 1) if upload else b""
    pasted = request.form.get("csr", "").strip()
    if bool(content) == bool(pasted):
        raise Malformed(field="csr")
    return content or pasted.encode()
