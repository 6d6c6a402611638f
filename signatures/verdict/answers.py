# SPDX-License-Identifier: Apache-2.0
"""Each of the four questions, answered from the facts in one place; every sentence is a catalogue key."""

from datetime import datetime, timedelta

from core.errors import N_

from ..models import Answer, Chain, Modification, Profile, Revocation, SignatureFacts, Value, Words

# How far the signer's clock may be ahead of ours.
_AHEAD = timedelta(minutes=5)

_UNREADABLE = {
    "not_pdf": N_("This file is not a PDF document, so no signature in it can be checked."),
    "encrypted": N_("This file is encrypted. Please send it without a password."),
    "limits": N_("This file is built so that reading it would cost too much. It was not read to the end."),
    "malformed": N_("This file is damaged or not built like a PDF document. Whether it is signed cannot be told."),
}


def unchanged(facts: SignatureFacts, profile: Profile) -> Answer:
    """Whether the document is unchanged."""
    if not facts.digest_matches:
        return _no("content_altered", N_("The content is not the content that was signed: something was altered."))
    if not facts.signature_verifies:
        return _no("signature_forged", N_("The signature does not fit the certificate: it was altered or forged."))
    if facts.covers_file:
        return _yes("unchanged", N_("Every byte of the file is exactly as it was signed."))
    if facts.modification is Modification.NONE:
        return _no("bytes_added", N_("Bytes were added outside the signed part. Some viewers may show them."))
    if facts.modification is Modification.OTHER or profile is Profile.STRICT or not facts.permitted:
        return _no("changed_after", N_("The file was changed after it was signed; what you see may not be signed."))
    if facts.modification is Modification.ARCHIVAL:
        return _yes("archived", N_("Only proofs for long-term keeping were added after signing."))
    return _yes(
        "fields_changed",
        N_("Only these form fields were filled in after signing: %(fields)s"),
        fields=", ".join(facts.changed_fields) or "?",
    )


def signer(facts: SignatureFacts) -> Answer:
    """Who signed it."""
    certificate = facts.certificate
    name = certificate.name or certificate.organisation or certificate.serial
    if certificate.chain is Chain.UNKNOWN:
        return _unknown(
            "signer_unconfirmed",
            N_("The certificate says “%(name)s”, but nobody we trust confirms that."),
            name=name,
        )
    if not facts.signature_verifies or not facts.digest_matches:
        return _unknown(
            "signer_of_other_content",
            N_("The signature names “%(name)s”, but it does not fit this content."),
            name=name,
        )
    if certificate.organisation and certificate.organisation != name:
        return _yes(
            "signer_known",
            N_("%(name)s of %(organisation)s"),
            name=name,
            organisation=certificate.organisation,
        )
    return _yes("signer_known", N_("%(name)s"), name=name)


def issuer(facts: SignatureFacts) -> Answer:
    """Whether we trust the issuer."""
    certificate = facts.certificate
    name = certificate.issuer or "?"
    if certificate.chain is Chain.UNKNOWN:
        return _no("issuer_unknown", N_("“%(name)s” is not among the issuers we trust."), name=name)
    if certificate.chain is Chain.BROKEN:
        return _no("issuer_broken", N_("“%(name)s” is no longer allowed to issue certificates."), name=name)
    if not certificate.purpose:
        return _no(
            "wrong_purpose",
            N_("“%(name)s” issued this certificate for another purpose than signing documents."),
            name=name,
        )
    return _yes("issuer_trusted", N_("“%(name)s” is an issuer we trust for signing documents."), name=name)


def path_refused(facts: SignatureFacts) -> Answer:
    """The second opinion on the issuer was bad."""
    return _unknown(
        "path_refused",
        N_("A second check of the certificates from “%(name)s” did not succeed."),
        name=facts.certificate.issuer or "?",
    )


def valid(facts: SignatureFacts, at: datetime) -> Answer:
    """Was the certificate valid then? Without a time-stamp "then" is the signer's word, and only today is proven."""
    certificate, claimed = facts.certificate, facts.claimed_at
    if certificate.chain is Chain.UNKNOWN:
        return _unknown("not_ours_to_say", N_("Only its issuer could tell, and that issuer is unknown to us."))
    if certificate.revocation is Revocation.REVOKED:
        return _no(
            "revoked",
            N_("The certificate was revoked on %(at)s, and nothing proves that the signature is older."),
            at=certificate.revoked_at or at,
        )
    bounds = _bounds(facts, at)
    if bounds is not None:
        return bounds
    if certificate.revocation is Revocation.SUSPENDED:
        return _unknown(
            "suspended",
            N_("The certificate has been suspended since %(at)s. Ask again when its issuer has decided."),
            at=certificate.revoked_at or at,
        )
    if certificate.revocation is Revocation.UNAVAILABLE:
        return _unknown(
            "status_unavailable",
            N_("The issuer's current list of revoked certificates cannot be read at the moment."),
        )
    if claimed is None:
        return _yes("valid", N_("It is valid today. The document does not say when it was signed."))
    return _yes(
        "valid",
        N_("The document says it was signed on %(at)s; the certificate was valid then and still is."),
        at=claimed,
    )


def _bounds(facts: SignatureFacts, at: datetime) -> Answer | None:
    certificate, claimed = facts.certificate, facts.claimed_at
    if claimed is not None and claimed < certificate.not_before - _AHEAD:
        return _no(
            "signed_before_validity",
            N_("The document says it was signed on %(at)s, before the certificate became valid."),
            at=claimed,
        )
    if claimed is not None and claimed > certificate.not_after:
        return _no(
            "signed_after_validity",
            N_("The document says it was signed on %(at)s, after the certificate had expired."),
            at=claimed,
        )
    if at > certificate.not_after:
        return _unknown(
            "expired",
            N_("The certificate expired on %(at)s, and nothing proves that the signature is older."),
            at=certificate.not_after,
        )
    if at < certificate.not_before:
        return _unknown("not_yet_valid", N_("The certificate is not valid before %(at)s."), at=certificate.not_before)
    if claimed is not None and claimed > at + _AHEAD:
        return _unknown(
            "signed_in_future",
            N_("The document says it was signed on %(at)s, which is in the future."),
            at=claimed,
        )
    return None


def unreadable(failure: str) -> Answer:
    """Nothing could be read."""
    code = failure if failure in _UNREADABLE else "malformed"
    return _unknown(code, _UNREADABLE[code])


def unconfirmed() -> Answer:
    """Raw bytes of a signature that no parser finds: the newest revision hides it, or its kind is obsolete."""
    return _unknown("signature_unconfirmed", N_("The file contains signature data that we cannot confirm."))


def nothing_known() -> Answer:
    """For the questions that follow from a file that could not be read."""
    return _unknown("not_read", N_("The file could not be read that far."))


def unsigned() -> tuple[Answer, Answer, Answer]:
    """Unchanged, signer, and the two others for a file without any signature."""
    return (
        _unknown("nothing_to_compare", N_("There is no signature to compare the content with.")),
        _no("nobody", N_("Nobody has signed it.")),
        _unknown("no_certificate", N_("There is no certificate.")),
    )


def _yes(code: str, message: str, **parameters: str | datetime) -> Answer:
    return Answer(Value.YES, code, Words(message, parameters))


def _no(code: str, message: str, **parameters: str | datetime) -> Answer:
    return Answer(Value.NO, code, Words(message, parameters))


def _unknown(code: str, message: str, **parameters: str | datetime) -> Answer:
    return Answer(Value.UNKNOWN, code, Words(message, parameters))
