# SPDX-License-Identifier: Apache-2.0
"""What the pages of the host ``sign`` share: the table of a person's documents, with what they sign with."""

import hashlib
import secrets

from flask import g, render_template, session
from flask.typing import ResponseReturnValue

from core.errors import TallygateError
from core.web import _, identity
from core.web.inputs import query_text

from ..remote import CertificateUnusable
from ..remote.tokens import MOST
from ..service import Desk, Enrolling

SHOWN_AGAIN = frozenset({400, 403, 409, 413, 503})
"""Statuses of errors that are told on the page itself."""
_BROWSER = "signer"
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
            largest=self._largest // (1024 * 1024),
            error=_(error.message, **error.parameters) if error else "",
        )
        return shown, error.kind.status if error else 200
