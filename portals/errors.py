# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a portal and the sign-on.

Unauthenticated
└── LoginFailed       portal_login     the answer of the sign-on cannot be used
Forbidden
├── ConsentRefused    portal_consent   the person did not agree
└── DeviceExpected    portal_device    an interface for machines was asked by somebody else
Conflict
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


class DeviceExpected(Forbidden):
    """Only a device with a certificate may ask this."""

    code = "portal_device"
    message = N_("This address is for registered devices only.")


class OtherPerson(Conflict):
    """The gateway's session and the sign-on's are of two different logins."""

    code = "portal_session"
    message = N_("You are logged in twice in this browser, in different ways. Please log out and log in again.")
