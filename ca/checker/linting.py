# SPDX-License-Identifier: Apache-2.0
"""pkilint's rules of today over certificates of any day."""

from functools import cache
from typing import Any

from pkilint.document import SubstrateDecodingFailedError
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity

from .rules import Rule

_STOPS = ValidationFindingSeverity.NOTICE
_POLICIES = 'with schema "CertificatePolicies"'
"""pkilint cannot read identifiers below 2.48; the policies were read by this checker itself and compared."""


@cache
def rules_of_today() -> "Lint":
    """The rules, which take a while to be built."""
    return Lint()


class Lint:
    """The rules, built once."""

    def __init__(self) -> None:
        self._rules: Any = certificate.create_pkix_certificate_validator_container(
            certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
            [
                certificate.create_issuer_validator_container([]),
                certificate.create_validity_validator_container(),
                certificate.create_subject_validator_container([]),
                certificate.create_extensions_validator_container([]),
                certificate.create_spki_validator_container([]),
            ],
        )

    def findings(self, der: bytes, rule: Rule) -> list[str]:
        """Codes of what is of NOTICE or worse and not excused."""
        document = certificate.RFC5280Certificate("issued", der, "certificate")
        try:
            document.decode()
        except SubstrateDecodingFailedError:
            return ["itu.invalid_asn1_syntax"]
        found = []
        for result in self._rules.validate(document.root):
            for said in result.finding_descriptions:
                code, text = said.finding.code, said.message or ""
                if said.finding.severity > _STOPS or (code == "itu.invalid_asn1_syntax" and _POLICIES in text):
                    continue
                if not any(each.code == code and each.about in text for each in rule.excuses):
                    found.append(code)
        return found
