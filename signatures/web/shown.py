# SPDX-License-Identifier: Apache-2.0
"""What the pages of the host ``sign`` share: the table of a person's documents, with what they sign with."""

import hashlib
import secrets
from collections.abc import Sequence

from flask import g, render_template, session
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import _, identity
from core.web.inputs import query_text

from ..remote import CertificateUnusable
from ..remote.tokens import MOST
from ..service import Desk, Enrolling
from ..shelf import Shelved

SHOWN_AGAIN = frozenset({400, 403, 409, 413, 503})
"""Statuses of errors that are told on the page itself."""
_BROWSER = "signer"
_SEEN = "seen"
_MOST_SEEN = 24
TOGETHER = 6
"""Pages of a document that are shown at once."""
_DONE = frozenset({"signed", "certified", "ended"})


class Shown:
    """Draws for whoever the gateway names."""

    def __init__(self, desk: Desk, enrolling: Enrolling, *, issuer: str, largest: int) -> None:
        """``issuer`` is where forms lead: people confirm there."""
        self._desk = desk
        self._enrolling = enrolling
        self._issuer = issuer
        self._largest = largest

    def browser(self) -> str:
        """By which this browser is known again: of a number in its signed cookie."""
        return hashlib.sha256(str(session.setdefault(_BROWSER, secrets.token_urlsafe(24))).encode()).hexdigest()

    def note(self, document: Shelved, *, part: int | None = None) -> None:
        """This browser was shown a part of a document, counted from 0, or got the whole of it."""
        seen: dict[str, int] = session.get(_SEEN, {})
        mask = seen.pop(document.id, 0) | (_parts(document) if part is None else 1 << part)
        session[_SEEN] = dict([*seen.items(), (document.id, mask)][-_MOST_SEEN:])

    def seen(self, document: Shelved) -> bool:
        """Whether this browser was shown all of it."""
        seen: dict[str, int] = session.get(_SEEN, {})
        return seen.get(document.id, 0) == _parts(document)

    def all_seen(self, identifiers: Sequence[str]) -> bool:
        """Whether it was shown all of these.

        Raises:
            NoSuchDocument: one is not theirs.
        """
        return all(self.seen(self._desk.one(identity().subject, each)) for each in identifiers)

    def certificate(self) -> dict[str, object]:
        """What the person signs with, and whether it is good now; the page's forms may lead to sign-on."""
        g.form_targets = (self._issuer,)
        found = self._enrolling.credential(identity().subject)
        good = found is not None
        if found is not None:
            try:
                self._enrolling.check(found)
            except CertificateUnusable:
                good = False
        return {"credential": found, "good": good, "most": MOST}

    def table(self, error: TallygateError | None = None) -> ResponseReturnValue:
        """The first page; an error it is told on."""
        done = query_text("done")
        shown = render_template(
            "signatures/own.html",
            **self.certificate(),
            done=done if done in _DONE else "",
            documents=self._desk.all_of(identity().subject),
            seen=self.seen,
            largest=self._largest // (1024 * 1024),
            error=_(error.message) % error.parameters if error else "",
        )
        return shown, error.kind.status if error else 200


def _parts(document: Shelved) -> int:
    """One bit for each part of the document."""
    return (1 << -(-max(document.facts.pages, 1) // TOGETHER)) - 1
