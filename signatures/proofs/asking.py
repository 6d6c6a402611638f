# SPDX-License-Identifier: Apache-2.0
"""Where the issuer of a certificate can be asked about it, and the question; nobody is asked here."""

from collections.abc import Iterator

from asn1crypto import algos, ocsp
from asn1crypto import core as asn1
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from ..models import Ask
from . import keys

_MOST, _LONGEST = 4, 500


def places_to_ask(own: x509.Certificate, issuer: x509.Certificate) -> tuple[Ask, ...]:
    """Responders first, for their answers are short; then lists."""
    question = ocsp_question(own, issuer)
    found = [Ask(url, question) for url in _responders(own)] + [Ask(url) for url in _lists(own)]
    return tuple(each for each in found if len(each.unverified_url) <= _LONGEST)[:_MOST]


def ocsp_question(own: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """About one certificate (RFC 6960), with the digest that every responder knows (RFC 5019)."""
    above = keys.as_asn1(issuer)
    named = {
        "hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha1"}),
        "issuer_name_hash": keys.hashed("sha1", above.subject.dump()),
        "issuer_key_hash": keys.hashed("sha1", above.public_key["public_key"].contents[1:]),
        "serial_number": asn1.Integer(own.serial_number),
    }
    asked: bytes = ocsp.OCSPRequest({"tbs_request": {"request_list": [{"req_cert": named}]}}).dump()
    return asked


def _responders(own: x509.Certificate) -> Iterator[str]:
    try:
        found = own.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for each in found:
        place = each.access_location
        if each.access_method == AuthorityInformationAccessOID.OCSP and isinstance(
            place, x509.UniformResourceIdentifier
        ):
            yield place.value


def _lists(own: x509.Certificate) -> Iterator[str]:
    try:
        found = own.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return
    for point in found:
        # A list for some reasons only, or by somebody else, says too little.
        if point.reasons is None and point.crl_issuer is None:
            yield from (
                each.value for each in point.full_name or () if isinstance(each, x509.UniformResourceIdentifier)
            )
