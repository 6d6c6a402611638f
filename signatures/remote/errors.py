# SPDX-License-Identifier: Apache-2.0
"""What can go wrong when somebody signs with a key that is kept for them.

TallygateError
├── Forbidden
│   ├── ConsentRefused          the confirmation is not of this person, for these documents, of this moment
│   └── NotConfirmed            the person said no
└── Conflict
    ├── NotEnrolled             the person has no certificate for signing here
    ├── EnrolledAlready         the person has one that is good
    ├── CertificateUnusable     it is expired, suspended, revoked or of unknown status
    ├── NotSeen                 the person has not looked at every page of it
    ├── ConsentLost             it was never asked for here, by this person in this browser, or too long ago
    └── ConsentUsed             it was used already
"""

from core.errors import N_, Conflict, Forbidden


class ConsentRefused(Forbidden):
    """The confirmation does not fit; ``why`` is a short word for the logs."""

    code = "consent_refused"
    message = N_("The confirmation does not fit what was to be signed. Nothing was signed. Please begin anew.")

    def __init__(self, *, why: str) -> None:
        super().__init__()
        self.why = why


class NotConfirmed(Forbidden):
    """The person declined, or could not confirm."""

    code = "not_confirmed"
    message = N_("You did not confirm it, so nothing was signed.")


class NotEnrolled(Conflict):
    """No certificate for signing."""

    code = "no_signing_certificate"
    message = N_("You have no certificate for signing here yet.")


class EnrolledAlready(Conflict):
    """One is enough."""

    code = "signing_certificate_exists"
    message = N_("You have a certificate for signing already.")


class CertificateUnusable(Conflict):
    """It is not good at this moment."""

    code = "signing_certificate_unusable"
    message = N_("Your certificate for signing is not valid at the moment, so nothing was signed.")


class NotSeen(Conflict):
    """Nobody signs here what they have not been shown."""

    code = "document_not_seen"
    message = N_("Please look at every page of the document first. Nothing was signed.")


class ConsentLost(Conflict):
    """Begun in another browser, by somebody else, or too long ago."""

    code = "consent_lost"
    message = N_("This signing was begun elsewhere or too long ago. Nothing was signed. Please begin anew.")


class ConsentUsed(Conflict):
    """One confirmation signs once."""

    code = "consent_used"
    message = N_("This confirmation was used already. It counts once.")
