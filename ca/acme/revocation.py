# SPDX-License-Identifier: Apache-2.0
"""Revocation (RFC 8555 section 7.6): by an account or by the certificate's own key.

The account is the one that the certificate was made for, or one that has shown control of all its names.
"""

from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.clock import Clock

from ..errors import AlreadyRevoked, NoSuchCertificate
from ..models import Reason, serial_hex
from ..service import CertificateAuthority
from .jws import AccountKey, unb64url
from .models import Account, Identifier, Kind
from .notes import ACTOR
from .problems import Problem, Type
from .store import Store

_REASONS = {
    0: Reason.UNSPECIFIED,
    1: Reason.KEY_COMPROMISE,
    3: Reason.AFFILIATION_CHANGED,
    4: Reason.SUPERSEDED,
    5: Reason.CESSATION,
}
"""Numbers of RFC 5280 section 5.3.1 that a holder may give."""


class Revocation:
    """Takes certificates away at their holders' wish."""

    def __init__(self, *, store: Store, authority: CertificateAuthority, clock: Clock) -> None:
        self._store = store
        self._authority = authority
        self._clock = clock

    def revoke(self, asker: Account | AccountKey, wish: Mapping[str, Any]) -> None:
        """Revoke a certificate of ours.

        Raises:
            Problem: it is not ours, the asker may not, or it is revoked already.
        """
        certificate, serial = self._certificate(wish)
        reason = _reason(wish)
        if isinstance(asker, AccountKey):
            held = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            if held != asker.public:
                raise Problem(Type.UNAUTHORIZED, "this is not the certificate's key")
            caller = "acme:certificate-key"
        else:
            if not self._may(asker, certificate, serial):
                raise Problem(Type.UNAUTHORIZED, "this account neither has the certificate nor controls all its names")
            caller = f"acme:{asker.id}"
        try:
            self._authority.revoke(serial, reason=reason, actor=ACTOR, caller=caller)
        except AlreadyRevoked as error:
            raise Problem(Type.ALREADY_REVOKED, "the certificate is revoked already") from error

    def _certificate(self, wish: Mapping[str, Any]) -> tuple[x509.Certificate, str]:
        der = unb64url(wish.get("certificate"), "the certificate")
        try:
            certificate = x509.load_der_x509_certificate(der)
            serial = serial_hex(certificate.serial_number)
            found = self._authority.certificate(serial)
            certificate.public_key()
        except (ValueError, TypeError) as error:
            raise Problem(Type.MALFORMED, "the certificate cannot be read") from error
        except NoSuchCertificate as error:
            raise Problem(Type.MALFORMED, "this is no certificate of ours", status=404) from error
        if found.der != der:
            raise Problem(Type.MALFORMED, "this is no certificate of ours", status=404)
        return certificate, serial

    def _may(self, account: Account, certificate: x509.Certificate, serial: str) -> bool:
        order = self._store.orders.of_serial(serial)
        if order is not None and order.account == account.id:
            return True
        names = _names(certificate)
        proved = self._store.orders.proved(account.id, at=self._clock.now())
        return bool(names) and all((each.base, each.wildcard) in proved for each in names)


def _names(certificate: x509.Certificate) -> list[Identifier]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    dns = [Identifier(Kind.DNS, each) for each in names.get_values_for_type(x509.DNSName)]
    return dns + [Identifier(Kind.IP, str(each)) for each in names.get_values_for_type(x509.IPAddress)]


def _reason(wish: Mapping[str, Any]) -> Reason:
    asked = wish.get("reason", 0)
    if type(asked) is not int or asked not in _REASONS:
        raise Problem(Type.BAD_REVOCATION_REASON, f"a holder may give the reasons {', '.join(map(str, _REASONS))}")
    return _REASONS[asked]
