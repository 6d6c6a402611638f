# SPDX-License-Identifier: Apache-2.0
"""No signature before lint: a draft, signed by a throw-away key, passes pkilint's RFC 5280 rules or goes nowhere.

What passes becomes a `LintedDraft`, which its signer redeems exactly once. The throw-away key has the algorithm of
the real one, so the to-be-signed bytes are those the real key will sign.
"""

import hashlib
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import pkix, validation
from pkilint.document import SubstrateDecodingFailedError, ValueDecoder, create_and_append_node_from_pdu
from pkilint.pkix import certificate, crl, extension
from pkilint.pkix import name as names
from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1_alt_modules import rfc5280

from ..errors import DraftSpent, LintStopped
from .algorithms import SigningKey, algorithm_for, algorithm_of, throw_away
from .build import Draft
from .profiles import LintException

_STOPS = validation.ValidationFindingSeverity.NOTICE
"""Findings of this severity or worse stop issuance; numerically lower is worse."""

_MOST_KINDS = 4096
"""Places in a certificate that are remembered; ours have a few hundred, and nobody else's are linted here."""


Finding = tuple[str, str]
"""Code and text of something that is wrong."""


@dataclass(frozen=True, kw_only=True)
class LintedDraft:
    """Proof that a draft passed; good for one signature by the signer whose seal it carries."""

    draft: Draft
    # The bytes that will be signed (TBSCertificate, DER).
    tbs: bytes
    token: bytes


class Seal:
    """A signer's mark on drafts: remembers which were linted for it and not yet signed."""

    def __init__(self) -> None:
        self._open: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    def press(self, draft: Draft, tbs: bytes) -> LintedDraft:
        """Mark a draft that passed; only `Linter` calls this."""
        token = secrets.token_bytes(16)
        with self._lock:
            self._open[token] = _print(draft, tbs)
        return LintedDraft(draft=draft, tbs=tbs, token=token)

    def redeem(self, linted: LintedDraft, *, issuer: str) -> None:
        """Spend the mark, whether or not what follows succeeds.

        Raises:
            DraftSpent: spent before, not ours, for another issuer, or changed since lint.
        """
        with self._lock:
            known = self._open.pop(linted.token, None)
        if known is None or known != _print(linted.draft, linted.tbs) or linted.draft.issuer.name != issuer:
            raise DraftSpent

    def forget(self, linted: LintedDraft) -> None:
        """Give up a draft that will not be signed."""
        with self._lock:
            self._open.pop(linted.token, None)


class Linter:
    """pkilint's certificate rules; lints for one signer. ``elsewhere`` answers `findings` for many, in their order."""

    def __init__(
        self, seal: Seal, *, elsewhere: Callable[[Sequence[bytes]], Sequence[Sequence[Finding]]] | None = None
    ) -> None:
        self._seal = seal
        self._elsewhere = elsewhere or (lambda drafts: [findings(each) for each in drafts])

    def lint(self, draft: Draft) -> LintedDraft:
        """Sign with the throw-away key, run all rules, return the one-use token.

        Raises:
            LintStopped: names the first finding that no exception of the profile excuses.
        """
        (linted,) = self.lint_all([draft])
        if isinstance(linted, LintStopped):
            raise linted
        return linted

    def lint_all(self, drafts: Sequence[Draft]) -> list[LintedDraft | LintStopped]:
        """The token of each draft, or what ``lint`` would raise, in their order."""
        signed = [_signed(each) for each in drafts]
        found = self._elsewhere([each.public_bytes(Encoding.DER) for each in signed])
        answers: list[LintedDraft | LintStopped] = []
        for draft, stand_in, wrong in zip(drafts, signed, found, strict=True):
            code = next((code for code, text in wrong if not _excused(draft.profile.exceptions, code, text)), "")
            answers.append(
                LintStopped(finding=code) if code else self._seal.press(draft, stand_in.tbs_certificate_bytes)
            )
        return answers

    def findings(self, der: bytes) -> list[Finding]:
        """See the function."""
        return findings(der)

    def list_findings(self, der: bytes) -> list[Finding]:
        """The same of a revocation list."""
        return _findings(crl.RFC5280CertificateList("draft", der, "certificateList"), _list_rules())


def findings(der: bytes) -> list[Finding]:
    """Code and text of everything of NOTICE or worse in a certificate."""
    return _findings(certificate.RFC5280Certificate("draft", der, "certificate"), _rules())


@cache
def _rules() -> "IndexedRules":
    return IndexedRules(pkilint_rules())


def _signed(draft: Draft) -> x509.Certificate:
    key = _stand_in(draft.issuer.certificate)
    return draft.builder.sign(key, algorithm_for(key))


def _stand_in(issuer: x509.Certificate) -> SigningKey:
    algorithm = algorithm_of(issuer.public_key())
    if algorithm is None:
        raise DraftSpent
    return throw_away(algorithm)


def _print(draft: Draft, tbs: bytes) -> bytes:
    return hashlib.sha256(draft.issuer.name.encode() + b"\0" + tbs).digest()


def _excused(exceptions: tuple[LintException, ...], code: str, text: str) -> bool:
    return any(each.code == code and each.about in text for each in exceptions)


class _ExtensionDecoder(ValueDecoder):  # type: ignore[misc]  # the library ships no types
    """Decodes certificatePolicies with pyasn1 itself.

    pkilint's fast decoder refuses every identifier under arc 2 whose second number is above 47, among them the
    example arc 2.999 and the UUID arc's numbers; pyasn1 reads them and checks the encoding as strictly.
    """

    def decode_value(self, node, type_node, value_node, pdu_type):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - the library ships no types
        if type_node.pdu != rfc5280.id_ce_certificatePolicies:
            return super().decode_value(node, type_node, value_node, pdu_type)
        try:
            decoded, rest = decoder.decode(value_node.pdu.asOctets(), asn1Spec=rfc5280.CertificatePolicies())
        except PyAsn1Error as error:
            raise SubstrateDecodingFailedError(value_node.document, pdu_type, value_node, str(error)) from error
        if rest:
            raise SubstrateDecodingFailedError(value_node.document, pdu_type, value_node, "trailing bytes")
        return create_and_append_node_from_pdu(value_node.document, decoded, value_node)


def _findings(document: Any, rules: Any) -> list[Finding]:
    try:
        document.decode()
    except SubstrateDecodingFailedError as error:
        return [("itu.invalid_asn1_syntax", str(error))]
    return [
        (found.finding.code, found.message or "")
        for result in rules.validate(document.root)
        for found in result.finding_descriptions
        if found.finding.severity <= _STOPS
    ]


class IndexedRules(validation.ValidatorContainer):  # type: ignore[misc]  # the library ships no types
    """A container that asks only those rules about a node that can have an answer.

    pkilint asks every rule about every node of a certificate, some five thousand times. Which path and which type of
    value a rule is about is fixed when it is made, so here that part of the answer is kept. The rest (predicates, tags)
    is still asked each time, by the rule's own ``match``; findings and their order stay the same.
    """

    def __init__(self, original: Any) -> None:
        self.__dict__.update(original.__dict__)
        self.validators = [
            IndexedRules(rule) if isinstance(rule, validation.ValidatorContainer) else rule
            for rule in original.validators
        ]
        self._known: dict[tuple[str, type], list[Any]] = {}

    def _validate_rec(self, node: Any, results: list[Any]) -> None:
        for rule in self._about(node):
            if rule.match(node):
                found = rule.validate_wrapper(node)
                if isinstance(found, list):
                    results += found
                else:
                    results.append(found)
        for child in node.children.values():
            self._validate_rec(child, results)

    def _about(self, node: Any) -> list[Any]:
        kind = (node.path, type(node.pdu))
        found = self._known.get(kind)
        if found is None:
            found = [rule for rule in self.validators if _can_match(rule, *kind)]
            if len(self._known) < _MOST_KINDS:
                self._known[kind] = found
        return found


def _can_match(rule: Any, path: str, pdu: type) -> bool:
    return (
        rule._path in (None, path)  # noqa: SLF001 - what NodeVisitor.match itself compares
        and (rule._path_re is None or rule._path_re.match(path) is not None)  # noqa: SLF001 - as above
        and (rule._pdu_class is None or issubclass(pdu, rule._pdu_class))  # noqa: SLF001 - as above
    )


def pkilint_rules() -> validation.Validator:
    """The rules of RFC 5280 as pkilint composes them, with our decoder of policies."""
    decoding = certificate.create_decoding_validators(names.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS)
    ours = extension.ExtensionsDecodingValidator(
        decode_func=_ExtensionDecoder(
            type_path="extnID", value_path="extnValue", type_mappings=extension.EXTENSION_MAPPINGS
        )
    )
    return certificate.create_pkix_certificate_validator_container(
        [ours if isinstance(each, extension.ExtensionsDecodingValidator) else each for each in decoding],
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )


def _list_rules() -> validation.Validator:
    return crl.create_pkix_crl_validator_container(
        [
            pkix.create_attribute_decoder(names.ATTRIBUTE_TYPE_MAPPINGS),
            pkix.create_extension_decoder(extension.EXTENSION_MAPPINGS),
        ],
        [
            crl.create_issuer_validator_container([]),
            crl.create_validity_validator_container([]),
            crl.create_extensions_validator_container([]),
        ],
    )
