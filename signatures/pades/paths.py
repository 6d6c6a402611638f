# SPDX-License-Identifier: Apache-2.0
"""The library's way through certificates and lists, gone once for the documents of one signer and not for each.

It hangs on nothing of a document but the certificates and lists that came in it, which the key names by their digests;
on the moment as ``proofs.remembered`` says; and on the trust and the lists of the site, with which ``Grounds`` lets go
of what was remembered. Whoever verifies without ``install`` goes the whole way each time.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from pyhanko.sign.validation import generic_cms
from pyhanko_certvalidator import ValidationContext

from ..proofs.remembered import Remembered

# The library annotates only part of itself.
_module: Any = generic_cms
_validate: Callable[..., Any] = generic_cms.validate_cert_usage


@dataclass(frozen=True)
class Led:
    """Where one way led, and what the library notes on it for the rest of the same document."""

    result: Any
    validated: dict[bytes, Any]
    speakers: dict[bytes, Any]


class Context(ValidationContext):
    """The library's for one signature, which remembers with others."""

    def __init__(
        self,
        *,
        memory: Remembered[Led] | None,
        lists: Sequence[bytes],
        key: Hashable,
        **given: Any,
    ) -> None:
        """``lists`` are those that ``given`` has as ``crls``, in DER; ``key`` names what is not ``memory``'s own."""
        super().__init__(**given)
        self.memory = memory
        self._lists = lists
        self._key = key
        self._before: tuple[Hashable, ...] = ()

    def key_of(self, certificate: asn1_x509.Certificate, usage: Any) -> Hashable:
        """Everything but the moment that the way of a certificate hangs on.

        What the library does in one context hangs on what it did there before, so that is a part too.
        """
        known = tuple(each.sha256 for each in self.certificate_registry)
        asked = tuple(sorted((name, repr(_sorted(value))) for name, value in vars(usage).items()))
        return (certificate.sha256, known, type(usage), asked, self._key, self._before)

    def gone(self, key: Hashable) -> None:
        """Note a way that was gone in this context."""
        self._before = (*self._before, key)

    def noted(self, result: Any) -> Led:
        """What to remember of the way just gone."""
        return Led(result, dict(self._validate_map), dict(self.revinfo_manager._crl_issuer_map))  # noqa: SLF001 - what the library notes has no other name

    def take_up(self, led: Led) -> None:
        """Note what the library would have noted."""
        self._validate_map.update(led.validated)
        self.revinfo_manager._crl_issuer_map.update(led.speakers)  # noqa: SLF001 - as above

    def instants(self, certificate: asn1_x509.Certificate) -> Iterator[datetime]:
        """All that the library could compare the moment with.

        Raises:
            ValueError: it cannot be said.
        """
        known = [certificate, *self.certificate_registry]
        for each in known:
            validity = each["tbs_certificate"]["validity"]
            yield from (validity["not_before"].native, validity["not_after"].native)
        serials = {each.serial_number for each in known}
        for found in map(x509.load_der_x509_crl, self._lists):
            if found.next_update_utc is None:
                # The library has a rule of its own for these.
                raise ValueError("a list without end")
            yield from (found.last_update_utc, found.next_update_utc)
            entries = (found.get_revoked_certificate_by_serial_number(each) for each in serials)
            yield from (each.revocation_date_utc for each in entries if each is not None)


def install() -> None:
    """Remember in this process."""
    _module.validate_cert_usage = validate_cert_usage


async def validate_cert_usage(
    cert: asn1_x509.Certificate, validation_context: ValidationContext, key_usage_settings: Any, **given: Any
) -> Any:
    """The library's function of this name."""
    context = validation_context
    if not isinstance(context, Context) or context.memory is None or given.get("pkix_validation_params") is not None:
        return await _validate(cert, context, key_usage_settings, **given)
    key = context.key_of(cert, key_usage_settings)
    known = context.memory.find(key, (context.moment,))
    if known is not None:
        context.take_up(known)
        context.gone(key)
        return known.result
    result = await _validate(cert, context, key_usage_settings, **given)
    context.gone(key)
    try:
        context.memory.keep(key, (context.moment,), context.noted(result), instants=context.instants(cert))
    except (ValueError, TypeError, OverflowError):
        # Certificates come from anybody: one whose validity or number cannot be read is judged anew each time.
        return result
    return result


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else value
