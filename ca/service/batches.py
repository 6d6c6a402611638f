# SPDX-License-Identifier: Apache-2.0
"""The ceremony for many at once: every step as for one, with one transaction, one wait and one lint for all.

Each certificate has its own serial, its own intent in the published record before it is signed, its own comparison and
its own outcome. One that is refused holds up nobody; what concerns the authority itself ends the whole batch.
"""

from collections.abc import Sequence
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit import Receipt, Wait, encode_event
from core.errors import TallygateError, Unavailable

from ..errors import CertificateDiffers, KeyRefused
from ..models import Issued, IssueRequest, Preview
from ..x509 import Draft
from ..x509.lint import LintedDraft
from .issuance import COMPROMISED, Issuance
from .making import Making

Answer = Issued | TallygateError
_Linted = tuple[int, Making, LintedDraft]
_Signed = tuple[int, Making, LintedDraft, x509.Certificate]


class ManyRecorder(Protocol):
    """A recorder that takes many encoded events at once; the answer to each in their order."""

    def record_all(self, events: Sequence[bytes], *, wait: Wait = Wait.SEQUENCED) -> list[Receipt | TallygateError]:
        """Append; raises RecordUnavailable where it cannot be said of any."""
        ...


class Batches(Issuance):
    """Issues one or many."""

    def issue_all(self, requests: Sequence[IssueRequest], recorder: ManyRecorder) -> list[Answer]:
        """For each request its certificate, or what ``issue`` would raise, in their order.

        Raises:
            Unavailable: nobody got one. What was signed before that stays "possibly issued".
            TallygateError: the authority's own fault, as ``Unavailable``.
        """
        answers: dict[int, Answer] = {}
        # 0. As for one; the numbers are those of ``issue``.
        self._ready()
        # 1 to 5.
        linted = self._linted(requests, answers)
        # 6.
        linted = self._intended(linted, answers)
        # 7 to 9.
        signed = self._signed(linted, recorder, answers)
        # 10 and 11.
        self._kept(signed, answers)
        return [answers[place] for place in range(len(requests))]

    def preview_all(self, requests: Sequence[IssueRequest]) -> list[Preview | TallygateError]:
        """For each request what would be issued now, or what ``preview`` would raise, in their order.

        Raises:
            Unavailable: the directory does not answer.
        """
        subjects = self._subjects.at_once()
        answers: list[Preview | TallygateError] = []
        for request in requests:
            try:
                answers.append(self._previewed(request, subjects))
            except TallygateError as error:
                answers.append(_refusal(error))
        return answers

    def _linted(self, requests: Sequence[IssueRequest], answers: dict[int, Answer]) -> list[_Linted]:
        drafted: list[tuple[int, Making, Draft]] = []
        subjects = self._subjects.at_once()
        for place, request in enumerate(requests):
            try:
                making = self._examine(request, subjects)
            except TallygateError as error:
                answers[place] = _refusal(error)
                continue
            try:
                drafted.append((place, making, self._draft(making)))
            except TallygateError as error:
                self._unlinted(making, error)
                answers[place] = _refusal(error)
        linted: list[_Linted] = []
        for (place, making, _), found in zip(
            drafted, self._linter.lint_all([draft for _, _, draft in drafted]), strict=True
        ):
            if isinstance(found, TallygateError):
                self._unlinted(making, found)
                answers[place] = found
            else:
                linted.append((place, making, found))
        return linted

    def _intended(self, linted: Sequence[_Linted], answers: dict[int, Answer]) -> list[_Linted]:
        at = self._clock.now()
        try:
            refused = self._store.intend_all([making.intent(each, at=at) for _, making, each in linted])
        except TallygateError:
            for _, _, each in linted:
                self._signer.seal.forget(each)
            raise
        for place, making, each in linted:
            if making.serial in refused:
                self._signer.seal.forget(each)
                self._refused(making.request, refused[making.serial], making.subject)
                answers[place] = refused[making.serial]
        return [each for each in linted if each[1].serial not in refused]

    def _signed(self, linted: Sequence[_Linted], recorder: ManyRecorder, answers: dict[int, Answer]) -> list[_Signed]:
        at = self._clock.now()
        events = [encode_event(making.intended(each, at=at)) for _, making, each in linted]
        try:
            receipts = recorder.record_all(events, wait=Wait.PUBLISHED) if events else []
        except Unavailable as error:
            receipts = [error] * len(events)
        signed: list[_Signed] = []
        for (place, making, each), receipt in zip(linted, receipts, strict=True):
            try:
                # No receipt, no signature.
                if isinstance(receipt, TallygateError):
                    raise receipt
                certificate = self._signer.certificate(each, issuer=making.issuer.name)
                self._compare(making, each, certificate)
            except CertificateDiffers as error:
                # As for one, it stays "possibly issued".
                answers[place] = error
            except TallygateError as error:
                self._signer.seal.forget(each)
                self._abandon(making, error)
                answers[place] = error
            else:
                signed.append((place, making, each, certificate))
        return signed

    def _kept(self, signed: Sequence[_Signed], answers: dict[int, Answer]) -> None:
        if not signed:
            return
        outcomes = [
            self._outcome(making, each, certificate.public_bytes(Encoding.DER))
            for _, making, each, certificate in signed
        ]
        with self._handover.taken() as delivered:
            good = self._store.signed(outcomes, delivered=delivered)
        self._nudge()
        for place, making, _, certificate in signed:
            if making.serial in good:
                answers[place] = self._handed_over(making, certificate)
            else:
                answers[place] = KeyRefused(why=COMPROMISED)


def _refusal(error: TallygateError) -> TallygateError:
    """What concerns one request alone; the rest is raised."""
    if isinstance(error, Unavailable):
        raise error
    return error
