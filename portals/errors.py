# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a portal and the sign-on.

Unauthenticated
└── LoginFailed       portal_login     the answer of the sign-on cannot be used
Forbidden
├── ConsentRefused    portal_consent   the person did not agree
├── RecordNotOpened   portal_record    the record cannot be opened for this visitor
└── DeviceExpected    portal_device    an interface for machines was asked by somebody else
Conflict
├── ActingNotTold     portal_acting    the person acts for somebody and did not let this service know
└── OtherPerson       portal_session   gateway and sign-on speak of two different logins
"""

from core.errors import N_, Conflict, Forbidden, Unauthenticated


class LoginFailed(Unauthenticated):
    """The answer of the sign-on is forged, stale, or belongs to another browser."""

    code = "portal_login"
    message = N_("The login could not be completed. Please open the page again.")


class ConsentRefused(Forbidden):
    """The person did not agree that the portal learns the name."""

    code = "portal_consent"
    message = N_("You did not agree to share your name with this service, so it cannot be opened for you.")


class RecordNotOpened(Forbidden):
    """Whoever keeps the record of accesses does not let this visitor see that one."""

    code = "portal_record"
    message = N_("This record cannot be shown to you now. If you act for somebody, that may have ended.")


class DeviceExpected(Forbidden):
    """Only a device with a certificate may ask this."""

    code = "portal_device"
    message = N_("This address is for registered devices only.")


class ActingNotTold(Conflict):
    """The gateway says for whom somebody acts, and the person kept that from this service."""

    code = "portal_acting"
    message = N_(
        "You act for somebody and do not share that with this service. Withdraw what you share with it at"
        " “My account” and agree anew, or log out and act for yourself."
    )


class OtherPerson(Conflict):
    """The gateway's session and the sign-on's are of two different logins."""

    code = "portal_session"
    message = N_("You are logged in twice in this browser, in different ways. Please log out and log in again.")
