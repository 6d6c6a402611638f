# SPDX-License-Identifier: Apache-2.0
"""Each of the four questions, answered from the facts in one place; every sentence is a catalogue key."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from core.errors import N_

from ..looks import Locking
from ..models import (
    Answer,
    CertificateFacts,
    Chain,
    Format,
    Modification,
    Profile,
    Revocation,
    SignatureFacts,
    StampFacts,
    StampState,
    Value,
    Words,
)

# How far the signer's clock may be ahead of ours.
_AHEAD = timedelta(minutes=5)

_SHOWN = 20
_GRAVITY = (Value.NO, Value.UNKNOWN, Value.YES)
_EVERY_BYTE = N_("Every byte of the file is exactly as it was signed.")
_EVERY_BYTE_WITHIN = N_("Every byte of the PDF in the file is exactly as it was signed.")
_UNCHANGED = {
    Format.CMS: N_("The content is exactly as it was signed."),
    Format.XADES: N_("The content is exactly as it was signed."),
    Format.JWS: N_("The content is exactly as it was signed."),
    Format.ASIC: N_("Every document in the container is exactly as it was signed."),
    Format.OFD: N_("Every part of the document is exactly as it was sealed."),
    Format.EVIDENCE: N_(
        "The sealed report is unchanged and every file is the one in the list. What the log proves, verify_evidence.py "
        "inside the file checks."
    ),
}
_HIDDEN = {
    "layers": N_("The document has layers that are switched off: a viewer can show other content than you see."),
    "printing": N_(
        "Something in the document shows only on paper or only on the screen: a print can differ from what you see."
    ),
    "unseen": N_("The document holds notes or fields that are hidden, and a viewer can show them."),
    "switches": N_("A click or the mouse can show or hide something in the document."),
    "drawn": N_("Viewers draw the fields of the form themselves: they may look other than when it was signed."),
    "form": N_("The document holds a second form (XFA): some viewers show it in the place of the pages."),
    "leads": N_("A button or a link in the document opens another program or file, or sends data."),
    "media": N_("The document holds film, sound or a model, which you do not see on its pages as they stand."),
    "unsearched": N_("The document is too large to be searched to its end for what it may hide."),
    "after": N_("Something stands after the end of the document: some viewers can show it in the place of the pages."),
    "unopened": N_(
        "The PDF that was signed is locked or damaged and cannot be opened here: it was not searched for what it hides."
    ),
    "signatures": N_("The document carries signatures of its own, which are not judged here: check it by itself."),
    "scripts": N_("The document holds a script. A viewer that runs it can show something else."),
    "attachments": N_("The document has other files attached, which you do not see on its pages."),
    "actions": N_("The document does something by itself when it is opened or closed."),
}
_LOCKED = {
    Locking.ALL: N_("The signer locked all form fields: nobody may fill in or sign any of them afterwards."),
    Locking.INCLUDE: N_("The signer locked these form fields: %(fields)s"),
    Locking.EXCLUDE: N_("The signer locked all form fields but these: %(fields)s"),
}
_PICTURE_HIDES = N_(
    "A picture of a further signature lies over something that was there when this was signed, and hides it."
)
_UNCONFIRMED = N_("The file contains signature data that we cannot confirm.")
_UNREADABLE = {
    "not_pdf": N_("This file is of no kind that we know, so no signature in it can be checked."),
    "unknown_algorithm": N_("The signature uses an algorithm that we do not know."),
    "no_certificate": N_("The signature does not hold the certificate of its signer, so it cannot be checked."),
    "detached_list": N_(
        "A signature in it is over files that lie elsewhere, by a list of their names (sigD of JAdES). Whether they "
        "are unchanged cannot be told from this file."
    ),
    "old_seal": N_("The seal is built neither like GB/T 38540-2020 nor like GM/T 0031-2014, so it cannot be checked."),
    "signature_unconfirmed": _UNCONFIRMED,
    "subfilter": N_("A signature in it is of an old kind that we cannot check."),
    "subfilter_sha1": N_(
        "A signature in it is of an old kind (adbe.x509.rsa_sha1 or adbe.pkcs7.sha1) that stands on SHA-1, which can "
        "be forged today; it is not checked."
    ),
    "part_malformed": N_("A signature in it is damaged or not built like one."),
    "encrypted": N_("This file is encrypted. Please send it without a password."),
    "limits": N_("This file is built so that reading it would cost too much. It was not read to the end."),
    "malformed": N_("This file is damaged or not built like a PDF document. Whether it is signed cannot be told."),
}


def unchanged(facts: SignatureFacts, profile: Profile) -> list[Answer]:
    """Whether the document is unchanged: what speaks against it, gravest first, or the one good answer."""
    if not facts.content_present:
        return [
            _unknown(
                "content_missing",
                N_("This is a signature without the document it belongs to. Send both together."),
            )
        ]
    found = [*_content(facts), *_seal(facts), *_after(facts, profile)]
    if facts.uncovered:
        found.append(
            _unknown(
                "partly_signed",
                N_("The signature does not cover these files: %(files)s"),
                files=", ".join(facts.uncovered[:_SHOWN]),
            )
        )
    if found:
        return found
    if facts.format is not Format.PDF or facts.covers_file:
        return [_yes("unchanged", _UNCHANGED.get(facts.format, _EVERY_BYTE_WITHIN if facts.covered else _EVERY_BYTE))]
    if facts.modification is Modification.ARCHIVAL:
        return [_yes("archived", N_("Only proofs for long-term keeping were added after signing."))]
    if facts.modification is Modification.SIGNED:
        return [_yes("signed_further", N_("Only further signatures were added afterwards; each is judged here too."))]
    return [
        _yes(
            "fields_changed",
            N_("Only these form fields were filled in after signing: %(fields)s"),
            fields=", ".join(facts.changed_fields) or "?",
        )
    ]


def _content(facts: SignatureFacts) -> Iterator[Answer]:
    if not facts.digest_matches:
        yield _no("content_altered", N_("The content is not the content that was signed: something was altered."))
    if not facts.signature_verifies:
        yield _no("signature_forged", N_("The signature does not fit the certificate: it was altered or forged."))
    elif facts.other_certificate:
        yield _no("certificate_swapped", N_("The signer named another certificate than the one that stands here."))
    if facts.weak:
        yield _unknown(
            "algorithm_weak",
            N_("It was signed with %(algorithm)s, which can be forged today."),
            algorithm=facts.algorithm or "?",
        )


def _seal(facts: SignatureFacts) -> Iterator[Answer]:
    seal = facts.seal
    if seal is not None and not seal.verifies:
        yield _no("seal_forged", N_("The picture of the seal was not made by the maker whom it names."))
    elif seal is not None and seal.self_made:
        yield _unknown(
            "seal_self_made",
            N_("“%(name)s” used the seal and made its picture too: nobody else vouches for what it shows."),
            name=seal.maker,
        )


def _after(facts: SignatureFacts, profile: Profile) -> Iterator[Answer]:
    if facts.covers_file:
        return
    if _obscured(facts) and profile is Profile.STRICT and facts.permitted:
        yield _unknown("picture_hides", _PICTURE_HIDES)
    if facts.modification is Modification.NONE:
        yield _no("bytes_added", N_("Bytes were added outside the signed part. Some viewers may show them."))
    elif facts.modification in {Modification.ARCHIVAL, Modification.SIGNED} and facts.permitted:
        return
    elif facts.modification is Modification.OTHER or profile is Profile.STRICT or not facts.permitted:
        yield _no("changed_after", N_("The file was changed after it was signed; what you see may not be signed."))


def signer(facts: SignatureFacts) -> list[Answer]:
    """Who signed it."""
    certificate = facts.certificate
    name = certificate.name or certificate.organisation or certificate.serial
    if certificate.chain is Chain.UNKNOWN:
        return [
            _unknown(
                "signer_unconfirmed",
                N_("The certificate says “%(name)s”, but nobody we trust confirms that."),
                name=name,
            )
        ]
    if not facts.signature_verifies or (facts.content_present and not facts.digest_matches):
        return [
            _unknown(
                "signer_of_other_content",
                N_("The signature names “%(name)s”, but it does not fit this content."),
                name=name,
            )
        ]
    if certificate.organisation and certificate.organisation != name:
        return [
            _yes(
                "signer_known",
                N_("%(name)s of %(organisation)s"),
                name=name,
                organisation=certificate.organisation,
            )
        ]
    return [_yes("signer_known", N_("%(name)s"), name=name)]


def issuer(facts: SignatureFacts) -> list[Answer]:
    """Whether we trust the issuer."""
    certificate = facts.certificate
    name = certificate.issuer or "?"
    if certificate.chain is Chain.UNKNOWN:
        return [_no("issuer_unknown", N_("“%(name)s” is not among the issuers we trust."), name=name)]
    found = []
    if certificate.chain is Chain.BROKEN:
        found.append(_no("issuer_broken", N_("“%(name)s” is no longer allowed to issue certificates."), name=name))
    if not certificate.purpose:
        found.append(
            _no(
                "wrong_purpose",
                N_("“%(name)s” issued this certificate for another purpose than signing documents."),
                name=name,
            )
        )
    if found:
        return found
    return [_yes("issuer_trusted", N_("“%(name)s” is an issuer we trust for signing documents."), name=name)]


def path_refused(facts: SignatureFacts) -> Answer:
    """The second opinion on the issuer was bad."""
    return _unknown(
        "path_refused",
        N_("A second check of the certificates from “%(name)s” did not succeed."),
        name=facts.certificate.issuer or "?",
    )


def valid(facts: SignatureFacts, at: datetime) -> list[Answer]:
    """Was the certificate valid then? Without a time-stamp "then" is the signer's word, and only today is proven."""
    certificate, claimed = facts.certificate, facts.claimed_at
    if certificate.chain is Chain.UNKNOWN:
        return [_unknown("not_ours_to_say", N_("Only its issuer could tell, and that issuer is unknown to us."))]
    found = [
        *_revoked(facts, at),
        *_bounds(facts, at),
        *_seal_bounds(facts, at),
        *_status_missing(facts, at),
        *_stamps(facts),
    ]
    if found:
        return sorted(found, key=lambda answer: _GRAVITY.index(answer.value))
    if certificate.revocation is Revocation.LATER and facts.proven_at is not None:
        return [
            _yes(
                "revoked_later",
                N_("It was revoked on %(at)s, but a time-stamp proves that the signature existed on %(proven)s."),
                at=certificate.revoked_at or at,
                proven=facts.proven_at,
            )
        ]
    if facts.proven_at is not None:
        return [
            _yes(
                "valid_then",
                N_("A time-stamp proves that it was signed by %(at)s; the certificate was valid then."),
                at=facts.proven_at,
            )
        ]
    if claimed is None:
        return [_yes("valid", N_("It is valid today. The document does not say when it was signed."))]
    return [
        _yes(
            "valid",
            N_("The document says it was signed on %(at)s; the certificate was valid then and still is."),
            at=claimed,
        )
    ]


def _revoked(facts: SignatureFacts, at: datetime) -> Iterator[Answer]:
    certificate = facts.certificate
    since = certificate.revoked_at or at
    if certificate.revocation is Revocation.REVOKED and facts.proven_at is not None:
        yield _no(
            "revoked_before",
            N_("The certificate was revoked on %(at)s, and the time-stamp is later: %(proven)s."),
            at=since,
            proven=facts.proven_at,
        )
    elif certificate.revocation is Revocation.REVOKED:
        yield _no(
            "revoked",
            N_("The certificate was revoked on %(at)s, and nothing proves that the signature is older."),
            at=since,
        )
    elif certificate.revocation is Revocation.SUSPENDED:
        yield _unknown(
            "suspended",
            N_("The certificate has been suspended since %(at)s. Ask again when its issuer has decided."),
            at=since,
        )


def _status_missing(facts: SignatureFacts, at: datetime) -> Iterator[Answer]:
    certificate = facts.certificate
    if certificate.revocation is not Revocation.UNAVAILABLE:
        return
    if facts.proven_at is None and at > certificate.not_after:
        # That it expired says it all: issuers drop the expired from their lists.
        return
    if facts.proven_at is not None and at > certificate.not_after:
        yield _unknown(
            "status_then_unknown",
            N_("The file does not hold what the issuer said of the certificate at that time, and it says no more now."),
        )
    else:
        yield _unknown(
            "status_unavailable",
            N_("The issuer's current list of revoked certificates cannot be read at the moment."),
        )


def _stamps(facts: SignatureFacts) -> Iterator[Answer]:
    broken = {stamp.beside for stamp in facts.stamps if stamp.state is StampState.BROKEN}
    if True in broken:
        yield _unknown(
            "stamp_beside_broken",
            N_("A time-stamp that came beside the file is not over what this file says, or was altered."),
        )
    if facts.absent and facts.promised:
        yield _unknown(
            "stamp_beside_missing",
            N_("A time-stamp that the archive made beside the file is missing: somebody took it away."),
        )
    if False in broken:
        yield _unknown("stamp_broken", N_("It carries a time-stamp that is not over this signature, or was altered."))


def _bounds(facts: SignatureFacts, at: datetime) -> Iterator[Answer]:
    certificate, claimed, proven = facts.certificate, facts.claimed_at, facts.proven_at
    if claimed is not None and claimed < certificate.not_before - _AHEAD:
        yield _no(
            "signed_before_validity",
            N_("The document says it was signed on %(at)s, before the certificate became valid."),
            at=claimed,
        )
    if claimed is not None and claimed > certificate.not_after:
        yield _no(
            "signed_after_validity",
            N_("The document says it was signed on %(at)s, after the certificate had expired."),
            at=claimed,
        )
    elif (proven or at) > certificate.not_after:
        yield _unknown(
            "expired",
            N_("The certificate expired on %(at)s, and nothing proves that the signature is older."),
            at=certificate.not_after,
        )
    if (proven or at) < certificate.not_before:
        yield _unknown("not_yet_valid", N_("The certificate is not valid before %(at)s."), at=certificate.not_before)
    latest = proven or at
    if claimed is not None and claimed > latest + _AHEAD:
        yield (
            _unknown(
                "signed_in_future",
                N_("The document says it was signed on %(at)s, which is in the future."),
                at=claimed,
            )
            if proven is None
            else _unknown(
                "signed_after_stamp",
                N_("The document says it was signed on %(at)s, after its own time-stamp."),
                at=claimed,
            )
        )


def _seal_bounds(facts: SignatureFacts, at: datetime) -> Iterator[Answer]:
    seal, claimed, proven = facts.seal, facts.claimed_at, facts.proven_at
    if seal is None:
        return
    if seal.unsaid:
        yield _unknown(
            "seal_maker_unsaid",
            N_("Whether “%(name)s”, who made the seal, still may cannot be read at the moment."),
            name=seal.maker,
        )
    outside = claimed is not None and not seal.start <= claimed <= seal.end
    if outside or (proven is not None and proven < seal.start):
        yield _no(
            "seal_out_of_time",
            N_("The seal may be used from %(start)s to %(end)s, and it was used at another time."),
            start=seal.start,
            end=seal.end,
        )
    elif (proven or at) > seal.end:
        yield _unknown(
            "seal_expired",
            N_("The seal might be used until %(at)s, and nothing proves that this was done before."),
            at=seal.end,
        )


def notices(facts: SignatureFacts, at: datetime, profile: Profile) -> list[Answer]:
    """What is worth knowing of a signature and changes nothing."""
    certificate = facts.certificate
    found = [*_about_beside(facts)]
    for stamp in (each for each in facts.stamps if not each.beside or each.state is StampState.UNKNOWN):
        if stamp.state is StampState.UNKNOWN:
            found.append(
                _unknown(
                    "stamp_unconfirmed",
                    N_("Its time-stamp comes from “%(name)s”, whom nobody we trust confirms; it proves nothing here."),
                    name=stamp.name or "?",
                )
            )
        if stamp.state is StampState.REFUSED:
            found.append(
                _unknown(
                    "stamp_refused",
                    N_("Its time-stamp comes from “%(name)s”, whose certificate was not good for that."),
                    name=stamp.name or "?",
                )
            )
        if stamp.lasting and stamp.state is StampState.GOOD and stamp.at is not None:
            found.append(
                _unknown(
                    "stamp_lasting",
                    N_(
                        "Its time-stamp of %(at)s by “%(name)s” is made with %(algorithm)s, which is held to withstand "
                        "quantum computers."
                    ),
                    at=stamp.at,
                    name=stamp.name or "?",
                    algorithm=stamp.algorithm,
                )
            )
    if facts.proven_at is None and certificate.chain is Chain.TRUSTED and at <= certificate.not_after:
        found.append(
            _unknown(
                "stamp_missing",
                N_("No time-stamp proves when it was signed. Once the certificate expires on %(at)s, nobody can tell."),
                at=certificate.not_after,
            )
        )
    if certificate.asked and certificate.said_at is not None:
        found.append(
            _unknown(
                "status_asked",
                N_("Its issuer, “%(name)s”, was asked about the certificate. What it said is of %(at)s."),
                name=certificate.issuer or "?",
                at=certificate.said_at,
            )
        )
    found += _about_issuer(certificate)
    found += _about_seal(facts)
    if facts.signers > 1:
        found.append(
            _unknown(
                "several_signers",
                N_("%(number)s people signed in the same place of the file. Other programs may show only one of them."),
                number=facts.signers,
            )
        )
    found += _about_countersigners(facts)
    found += _about_further(facts, profile)
    if facts.certified == "nothing":
        found.append(_unknown("certified_nothing", N_("The signer allowed no change at all after this signature.")))
    if facts.certified == "form":
        found.append(_unknown("certified_form", N_("The signer allowed forms to be filled in and further signatures.")))
    if facts.certified == "notes":
        found.append(
            _unknown("certified_notes", N_("The signer allowed forms, notes in the margin and further signatures."))
        )
    if facts.locking:
        fields = ", ".join(facts.locked[:_SHOWN]) or "?"
        found.append(_unknown(f"locked_{facts.locking.value}", _LOCKED[facts.locking], fields=fields))
    return found


def _about_issuer(certificate: CertificateFacts) -> Iterator[Answer]:
    if certificate.chain is not Chain.TRUSTED:
        return
    if "/" in certificate.authority:
        yield _unknown(
            "issuer_of_another",
            N_("“%(name)s” stands on the trust list “%(list)s”, not on this site's own."),
            name=certificate.issuer or "?",
            list=certificate.authority.rpartition("/")[0],
        )
    if certificate.qualified:
        yield _unknown(
            "qualified",
            N_("A state's list names its issuer, “%(name)s”, as one of qualified certificates."),
            name=certificate.issuer or "?",
        )


def _about_beside(facts: SignatureFacts) -> Iterator[Answer]:
    if facts.absent and not facts.promised:
        yield _unknown(
            "stamp_beside_absent",
            N_("An archive also made a time-stamp beside this file. Send it along, and it is judged here too."),
        )
    for stamp in facts.stamps:
        if stamp.beside and stamp.state in {StampState.GOOD, StampState.REFUSED}:
            yield _one_beside(stamp)


def _one_beside(stamp: StampFacts) -> Answer:
    name, at = stamp.name or "?", stamp.at or ""
    if stamp.state is StampState.REFUSED:
        return _unknown(
            "stamp_beside_refused",
            N_(
                "The time-stamp of %(at)s by “%(name)s” beside the file proves nothing here: its certificate has ended "
                "or was not good for that."
            ),
            at=at,
            name=name,
        )
    if stamp.lasting:
        return _unknown(
            "stamp_beside_lasting",
            N_(
                "Beside the file stands a time-stamp of %(at)s by “%(name)s” over the same. It is made with "
                "%(algorithm)s, which is held to withstand quantum computers."
            ),
            at=at,
            name=name,
            algorithm=stamp.algorithm,
        )
    return _unknown(
        "stamp_beside",
        N_("Beside the file stands a time-stamp of %(at)s by “%(name)s” over the same, made with %(algorithm)s."),
        at=at,
        name=name,
        algorithm=stamp.algorithm,
    )


def _about_further(facts: SignatureFacts, profile: Profile) -> Iterator[Answer]:
    if _obscured(facts):
        if profile is not Profile.STRICT:
            yield _unknown("picture_hides", _PICTURE_HIDES)
    elif facts.pictured and facts.modification is Modification.SIGNED:
        yield _unknown(
            "signed_further_pictures",
            N_(
                "A further signature put a picture on a page, and a picture can hide something. Compare with what was "
                "signed first."
            ),
        )


def _obscured(facts: SignatureFacts) -> bool:
    return facts.obscured and facts.modification is Modification.SIGNED


def _about_countersigners(facts: SignatureFacts) -> Iterator[Answer]:
    for name in facts.countersigners:
        yield _unknown("countersigned", N_("“%(name)s” countersigned this signature."), name=name)
    if facts.countersigned_in_vain:
        yield _unknown(
            "countersigned_in_vain",
            N_(
                "It carries a countersignature that proves nothing here: it does not fit, or nobody vouches for it now."
            ),
        )


def _about_seal(facts: SignatureFacts) -> Iterator[Answer]:
    seal = facts.seal
    if seal is None:
        return
    if seal.verifies and not seal.self_made:
        yield _unknown("seal_maker", N_("The picture of the seal was made by “%(name)s”."), name=seal.maker)
    if seal.old:
        yield _unknown("seal_old", N_("The seal has the form of GM/T 0031-2014, which GB/T 38540-2020 has replaced."))


def hidden(kind: str) -> Answer | None:
    """What the document hides or does."""
    message = _HIDDEN.get(kind)
    return _unknown(f"hidden_{kind}", message) if message else None


def unreadable(failure: str) -> Answer:
    """Nothing could be read."""
    code = failure if failure in _UNREADABLE else "malformed"
    return _unknown(code, _UNREADABLE[code])


def unconfirmed() -> Answer:
    """Raw bytes of a signature that no parser finds: the newest revision hides it, or its kind is obsolete."""
    return _unknown("signature_unconfirmed", _UNCONFIRMED)


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


def _unknown(code: str, message: str, **parameters: str | int | datetime) -> Answer:
    return Answer(Value.UNKNOWN, code, Words(message, parameters))
