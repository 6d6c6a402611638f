# SPDX-License-Identifier: Apache-2.0
"""When to renew (RFC 9773): in the last third of a certificate's life, or when somebody asked for it, or now."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from cryptography import x509

from core.clock import Clock

from ..errors import NoSuchCertificate
from ..models import Certificate, Standing, serial_hex
from ..service import CertificateAuthority
from .jws import b64url, unb64url
from .models import Window
from .problems import Problem, Type
from .store import Store

ASK_AGAIN = 6 * 3600
"""Seconds after which clients ask again: so long an incident may stay unheard."""
_NOT_FOUND = 404
_LONGEST_SERIAL = 20
_ALREADY = timedelta(hours=1)


class Renewal:
    """Windows of renewal; asks the authority what each certificate is worth."""

    def __init__(self, *, store: Store, clock: Clock, authority: CertificateAuthority) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority

    def window(self, unverified: str) -> Window:
        """When the certificate of that identifier should be renewed.

        Raises:
            Problem: there is no such certificate.
        """
        found = self.certificate(unverified)
        asked = self._store.marks.window(found.serial)
        if asked is not None:
            return asked
        now = self._clock.now()
        if found.standing is not Standing.GOOD:
            return Window(start=now - 2 * _ALREADY, end=now - _ALREADY)
        third = (found.not_after - found.not_before) / 3
        start = found.not_after - third
        # Spread over a tenth of that time, so that what was issued together is not renewed together.
        spread = int(hashlib.sha256(found.serial.encode()).hexdigest()[:4], 16) / 0xFFFF
        start += third / 2 * spread
        return Window(start=start, end=start + third / 10)

    def ask_for(self, serials: Sequence[str], window: Window) -> None:
        """Have these certificates renewed then, with a page that says why: an incident, the end of an issuer."""
        self._store.marks.set_windows(serials, window)

    def certificate(self, unverified: object) -> Certificate:
        """The certificate of an identifier: the issuer's key identifier and the serial (RFC 9773 section 4.1).

        Raises:
            Problem: it is no identifier, or there is no such certificate.
        """
        key, _, number = unverified.partition(".") if isinstance(unverified, str) else ("", "", "")
        issuer, serial = unb64url(key, "the key identifier"), unb64url(number, "the serial number")
        # DER: positive, in its shortest form.
        if not issuer or not 0 < len(serial) <= _LONGEST_SERIAL + 1 or serial[0] & 0x80 or serial == b"\0":
            raise Problem(Type.MALFORMED, "this is no certificate identifier")
        try:
            found = self._authority.certificate(serial_hex(int.from_bytes(serial, "big")))
        except NoSuchCertificate as error:
            raise _unknown() from error
        if not found.der or identifier_of(x509.load_der_x509_certificate(found.der)) != unverified:
            raise _unknown()
        return found


def identifier_of(certificate: x509.Certificate) -> str:
    """The identifier of a certificate."""
    number = certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    authority = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return f"{b64url(authority.key_identifier or b'')}.{b64url(serial)}"


def _unknown() -> Problem:
    return Problem(Type.MALFORMED, "there is no such certificate", status=_NOT_FOUND)
