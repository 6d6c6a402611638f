# SPDX-License-Identifier: Apache-2.0
"""Which device is asking: by HTTP Basic with an enrolment's secret, or by its own certificate in TLS.

nginx ends TLS and hands over what was presented there, whatever it is; it is checked here. A request that brings a
secret is judged by that alone, so that a wrong one is never covered by a right certificate.
"""

import base64
import binascii
from collections.abc import Callable

from cryptography import x509

from core.clock import Clock
from core.errors import N_

from ..errors import CertificateRefused, DeviceUnidentified, NamesRefused
from ..models import CertificateStatus
from ..verifier import CertificateVerifier
from .enrolments import Enrolments
from .limits import Limits
from .models import Call, Caller

LONGEST = 400
"""Characters of an Authorization header; ours have about 100."""


class Callers:
    """Identifies devices."""

    def __init__(
        self,
        *,
        enrolments: Enrolments,
        limits: Limits,
        verifier: CertificateVerifier,
        status: Callable[[str], CertificateStatus],
        clock: Clock,
    ) -> None:
        self._enrolments = enrolments
        self._limits = limits
        self._verifier = verifier
        self._status = status
        self._clock = clock

    def identify(self, call: Call, *, label: str) -> Caller:
        """The device behind a request.

        Raises:
            DeviceUnidentified: neither a certificate nor a secret that is good now.
            NamesRefused: the secret is for another label.
            EnrolsTooOften: too many wrong secrets from this address.
            NotReconciled: the record may know better what a certificate is worth.
        """
        if call.unverified_authorization:
            return self._by_secret(call, label)
        if call.unverified_certificate:
            return self._by_certificate(call)
        raise DeviceUnidentified

    def _by_secret(self, call: Call, label: str) -> Caller:
        self._limits.may_fail(call.address)
        identifier, secret = _basic(call.unverified_authorization)
        found = self._enrolments.known(identifier, secret, at=self._clock.now())
        if found is None:
            self._limits.failed(call.address)
            raise DeviceUnidentified
        if found.label != label:
            raise NamesRefused(why=N_("its enrolment is for another label"))
        return Caller(device=found.device, enrolment=found)

    def _by_certificate(self, call: Call) -> Caller:
        unverified = call.unverified_certificate
        try:
            verified = self._verifier.verify(unverified, purpose="device", at=self._clock.now())
        except CertificateRefused as error:
            self._limits.worthless(call.address)
            raise DeviceUnidentified from error
        if not self._status(verified.serial).good:
            self._limits.worthless(call.address)
            raise DeviceUnidentified
        return Caller(
            device=verified.subject,
            certificate=x509.load_pem_x509_certificate(unverified),
            profile=verified.profile,
        )


def _basic(unverified: str) -> tuple[str, str]:
    """User name and password (RFC 7617); two empty ones if the header is malformed, which nobody has."""
    scheme, _, token = unverified.partition(" ")
    if len(unverified) > LONGEST or scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(token.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return name, secret
