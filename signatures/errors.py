# SPDX-License-Identifier: Apache-2.0
"""What can go wrong around a signature.

TallygateError
├── Invalid
│   ├── WrongMediaType      the body is declared as something else
│   ├── NothingSent         the body or the file field is empty
│   ├── VerdictNotOurs      a report is wanted of a verdict that this site did not give
│   ├── ListRefused         a trust list is not signed by whom it should be, malformed, overdue or older than the last
│   ├── CannotSeal          the document cannot take a seal: damaged, encrypted, too costly to read
│   ├── OffPage             the picture would not stand on the page as a whole
│   ├── NoSuchPage          the document has no page of this number
│   ├── NoSuchField         the document has no field of this name
│   ├── FieldFilled         somebody signed in this field already
│   ├── FieldOfAnotherKind  this field takes no signature
│   └── FieldTooSmall       this field is invisible or too small for a picture that can be read
├── Forbidden
│   └── SealDenied          this person may not seal for this organisation
├── Conflict
│   ├── NoRevision          no signed revision of this document can be shown
│   ├── AlreadySigned       a further signature would show up as a change under the first
│   ├── NotFirst            only the first signature may certify a document
│   ├── Locked              an earlier signer allowed no further signature here
│   ├── NoSeal              the organisation has no seal
│   ├── SealChanged         somebody else gave the organisation another seal at the same moment
│   ├── SealUnusable        its certificate is expired, suspended, revoked or of unknown status
│   ├── WishUsed            this very request was carried out already
│   └── SecondAsked         the order waits for a second keeper
└── Unavailable
    ├── Busy                every reading process is at work
    └── Unconfined          the process that opens documents cannot be locked in

A document that cannot be verified is no error: it gets a verdict that says so.
"""

from core.errors import N_, Conflict, Forbidden, Invalid, Unavailable


class WrongMediaType(Invalid):
    """The body is declared as something that is not taken here."""

    code = "wrong_media_type"
    message = N_("Please send the document with a media type that is taken here, such as application/pdf.")


class NothingSent(Invalid):
    """The body or the file field is empty."""

    code = "nothing_sent"
    message = N_("No document was sent. Please choose a file.")


class VerdictNotOurs(Invalid):
    """A report is wanted of a verdict that this site did not give, or that was altered since."""

    code = "verdict_not_ours"
    message = N_("This site did not give this answer. Please check the document again.")


class CannotSeal(Invalid):
    """The document cannot take a seal."""

    code = "cannot_seal"
    message = N_("This file cannot be sealed. It is damaged, encrypted or not a PDF document.")


class OffPage(Invalid):
    """The picture would not stand on the page as a whole."""

    code = "off_page"
    message = N_("The seal would reach beyond the edge of the page. Please choose a place further inside.")


class NoSuchPage(Invalid):
    """The document has no page of this number."""

    code = "no_such_page"
    message = N_("The document has no page of this number.")


class NoSuchField(Invalid):
    """The document has no field of this name."""

    code = "no_such_field"
    message = N_("The document has no field of this name.")


class FieldFilled(Invalid):
    """Somebody signed in this field already."""

    code = "field_filled"
    message = N_("This field carries a signature already. Please choose another place.")


class FieldOfAnotherKind(Invalid):
    """This field takes no signature."""

    code = "field_of_another_kind"
    message = N_("This field takes no signature: it is of another kind. Please choose another place.")


class FieldTooSmall(Invalid):
    """This field is invisible or too small for a picture that can be read."""

    code = "field_too_small"
    message = N_("This field is invisible or too small for a seal that can be read. Please choose another place.")


class ListRefused(Invalid):
    """A trust list that must not be used; ``why`` is "form", "signature", "overdue", "older" or "fork"."""

    code = "trust_list_refused"
    message = N_("This trust list cannot be used: it is damaged, overdue, or not signed by whom it should be.")

    def __init__(self, *, why: str) -> None:
        super().__init__()
        self.why = why


class SealDenied(Forbidden):
    """This person may not seal for this organisation."""

    code = "seal_denied"
    message = N_("You may not use the seal of this organisation.")


class AlreadySigned(Conflict):
    """A further signature would show up as a change under the first."""

    code = "already_signed"
    message = N_("This document already carries a signature. A further seal would make that signature look altered.")


class NotFirst(Conflict):
    """Only the first signature may certify a document."""

    code = "not_first"
    message = N_("Only the first signature of a document may say what is allowed afterwards. This one is signed.")


class Locked(Conflict):
    """An earlier signer allowed no further signature here."""

    code = "locked"
    message = N_("An earlier signer of this document allowed no further signature in it, or not in this place.")


class NoRevision(Conflict):
    """No signed revision can be shown: it is no PDF, nobody signed it, or its signature does not fit."""

    code = "no_signed_revision"
    message = N_("There is no signed state of this document to show: only a PDF whose signature still fits has one.")


class NoSeal(Conflict):
    """The organisation has no seal."""

    code = "no_seal"
    message = N_("This organisation has no electronic seal yet.")


class SealChanged(Conflict):
    """Somebody else gave the organisation another seal at the same moment."""

    code = "seal_changed"
    message = N_("This organisation was given another seal at the same moment. Nothing was changed by this request.")


class SealUnusable(Conflict):
    """The certificate of the seal is not good at this moment."""

    code = "seal_unusable"
    message = N_("The seal of this organisation cannot be used at the moment: its certificate is not valid.")


class WishUsed(Conflict):
    """One request of a person, let through once by the gateway, is carried out once."""

    code = "wish_used"
    message = N_("This request was carried out already. Please open the page again and ask anew.")


class SecondAsked(Conflict):
    """The order is taken and waits for a second keeper at ``address``; nothing is sealed yet."""

    code = "second_asked"
    message = N_("Nothing is sealed yet: the order waits for a second keeper of this seal, for one day, at %(address)s")
    status = 202

    def __init__(self, *, address: str, order: str = "") -> None:
        super().__init__(address=address)
        self.address = address
        self.order = order


class Busy(Unavailable):
    """Every reading process is at work."""

    code = "busy"
    message = N_("Many documents are being checked at the moment. Please try again in a moment.")


class Unconfined(Unavailable):
    """The process that opens documents cannot be locked in on this machine."""

    code = "unconfined"
    message = N_("This machine cannot lock in the process that opens documents, so no document was opened.")


class SandboxFailed(Exception):
    """The reading process gave up on a document; never leaves this component."""

    def __init__(self, reason: str, *, fit: bool = False) -> None:
        super().__init__(reason)
        # A short word.
        self.reason = reason
        # The process itself answered so, and can go on.
        self.fit = fit
