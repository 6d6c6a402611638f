# SPDX-License-Identifier: Apache-2.0
"""What an issuer says of a certificate, by a list or by an OCSP answer (RFC 6960), in one form."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asn1crypto import ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from . import keys

# How far the clock of who answers may be ahead of the moment at which it does.
_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One issuer's word about one certificate."""

    since: datetime
    # When the next one is due; None: nobody said.
    until: datetime | None
    revoked_at: datetime | None = None
    held: bool = False
    # It names revoked certificates even after they expired.
    keeps_expired: bool = False
    # Somebody could have made another one that bears the same signature.
    weak: bool = False

    @property
    def final(self) -> bool:
        """Revoked, and not only suspended: no later word takes that back (RFC 5280, 5.3.1)."""
        return self.revoked_at is not None and not self.held


class Answers:
    """One OCSP response, not yet verified."""

    def __init__(self, response: ocsp.BasicOCSPResponse) -> None:
        self._response: Any = response

    def about(
        self,
        own: x509.Certificate,
        issuer: x509.Certificate,
        others: Sequence[x509.Certificate],
        gone: Callable[[x509.Certificate], bool] = lambda _: False,
    ) -> Iterator[Statement]:
        """What it says of one certificate; nothing if the issuer or its responder did not sign it.

        ``gone`` says of a responder whether its issuer took its certificate back.
        """
        data = self._response["tbs_response_data"]
        produced = data["produced_at"].native
        signer = None if _unknown_rules(data["response_extensions"]) else self._signer(issuer, others, produced)
        if signer is None or (signer is not issuer and gone(signer)):
            return
        name, key = _hashes_of(issuer)
        for single in data["responses"]:
            asked = single["cert_id"]
            if asked["serial_number"].native != own.serial_number or _unknown_rules(single["single_extensions"]):
                continue
            digest = asked["hash_algorithm"]["algorithm"].native
            if (asked["issuer_name_hash"].native, asked["issuer_key_hash"].native) != (name(digest), key(digest)):
                continue
            status = single["cert_status"]
            if status.name == "unknown" or single["this_update"].native > produced + _AHEAD:
                # What was known later cannot have been said then: somebody writes with a key of those days.
                continue
            revoked = status.chosen if status.name == "revoked" else None
            yield Statement(
                since=single["this_update"].native,
                until=_within(single["next_update"].native, signer, issuer),
                revoked_at=revoked["revocation_time"].native if revoked is not None else None,
                held=revoked is not None and revoked["revocation_reason"].native == "certificate_hold",
                keeps_expired=False,
                weak=keys.weak_algorithm(self._response["signature_algorithm"]) or keys.short_key(signer) != "",
            )

    def _signer(
        self, issuer: x509.Certificate, others: Sequence[x509.Certificate], at: datetime
    ) -> x509.Certificate | None:
        shown = [x509.load_der_x509_certificate(each.dump()) for each in self._response["certs"] or ()]
        responders = (issuer, *(each for each in [*shown, *others] if _may_answer(each, issuer, at)))
        return next((each for each in responders if self._made_by(each)), None)

    def _made_by(self, responder: x509.Certificate) -> bool:
        return keys.verifies(
            self._response["signature"].native,
            self._response["tbs_response_data"].dump(),
            keys.as_asn1(responder).public_key,
            self._response["signature_algorithm"],
            digest="",
        )


def _within(until: datetime | None, signer: x509.Certificate, issuer: x509.Certificate) -> datetime | None:
    """Until when an answer stands: whoever was named for a time says nothing beyond that."""
    return until if until is None or signer is issuer else min(until, signer.not_valid_after_utc)


def _unknown_rules(extensions: Any) -> bool:
    """Whether something is critical: we know nothing that may be (RFC 6960, 4.4)."""
    return any(each["critical"].native for each in extensions or ())


def _may_answer(responder: x509.Certificate, issuer: x509.Certificate, at: datetime) -> bool:
    try:
        purposes = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    in_time = responder.not_valid_before_utc <= at <= responder.not_valid_after_utc
    return ExtendedKeyUsageOID.OCSP_SIGNING in purposes and in_time and keys.made(issuer, responder)


def _hashes_of(issuer: x509.Certificate) -> tuple[Any, Any]:
    from_der: asn1_x509.Certificate = keys.as_asn1(issuer)
    name, key = from_der.subject.dump(), from_der.public_key["public_key"]

    def hashed(digest: str, data: bytes) -> bytes:
        return keys.hashed(digest, data)

    # The content of the bit string: without tag, length and the count of unused bits.
    return (lambda digest: hashed(digest, name)), (lambda digest: hashed(digest, key.contents[1:]))


def read_answer(der: bytes) -> Answers | None:
    """An OCSP response, whole or its basic part alone; nothing if it cannot be read."""
    try:
        try:
            whole = ocsp.OCSPResponse.load(der, strict=True)
            if whole["response_status"].native != "successful":
                return None
            basic = whole["response_bytes"]["response"].parsed
        except (ValueError, TypeError):
            basic = ocsp.BasicOCSPResponse.load(der, strict=True)
        # Read through once, so that what is malformed fails here.
        _ = basic["tbs_response_data"]["responses"].native
    except (ValueError, TypeError, KeyError):
        return None
    return Answers(basic)
