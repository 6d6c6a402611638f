# SPDX-License-Identifier: Apache-2.0
"""Passkeys (Web Authentication Level 3): what a browser is asked, and what its answer proves.

A passkey counts only if its device made sure who holds it (user verification), so one is two factors. Whether its key
lies in hardware is not asked and not claimed: no attestation is wanted, and none but an empty or self-made one is read.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_attestation_object
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

CHALLENGE_BYTES = 32
LONGEST = 8000
"""Characters of an answer: a credential's name has at most 1,023 bytes, an empty attestation little more."""
_LONGEST_NAME = 1364
_FORMATS = ("none", "packed")
_ALGORITHMS = [COSEAlgorithmIdentifier.ECDSA_SHA_256, COSEAlgorithmIdentifier.EDDSA]
_TIMEOUT = 300_000


class NotProved(Exception):
    """The answer proves nothing; why is in the cause and told nobody."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """Whom passkeys are made for: one host and no other of its domain."""

    host: str
    origin: str
    title: str


@dataclass(frozen=True, kw_only=True)
class MadeKey:
    """A key that a device has just made."""

    # Base64url, as browsers spell it.
    credential: str
    # COSE, base64url.
    public_key: str
    count: int
    # Whether it may be copied to other devices of its owner.
    synced: bool


def creation_options(party: Party, *, challenge: bytes, subject: str, name: str, known: list[str]) -> str:
    """What ``navigator.credentials.create`` is given, in JSON; ``known`` are not made twice on one device."""
    options = generate_registration_options(
        rp_id=party.host,
        rp_name=party.title,
        user_id=subject.encode(),
        user_name=name,
        challenge=challenge,
        timeout=_TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=_bytes(each)) for each in known],
        supported_pub_key_algs=_ALGORITHMS,
    )
    return options_to_json(options)


def request_options(party: Party, *, challenge: bytes) -> str:
    """What ``navigator.credentials.get`` is given, in JSON. It names no key: whoever holds one says whose it is."""
    options = generate_authentication_options(
        rp_id=party.host,
        challenge=challenge,
        timeout=_TIMEOUT,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def made_key(unverified: str, *, party: Party, challenge: bytes) -> MadeKey:
    """Check the answer to ``creation_options``.

    Raises:
        NotProved: for every reason alike.
    """
    try:
        _own_page(unverified)
        _plain(unverified)
        found = verify_registration_response(
            credential=unverified,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as error:  # strangers' JSON, CBOR and COSE: whatever the reader stumbles over proves nothing
        raise NotProved from error
    name = _text(found.credential_id)
    if len(name) > _LONGEST_NAME:
        raise NotProved
    return MadeKey(
        credential=name,
        public_key=_text(found.credential_public_key),
        count=found.sign_count,
        synced=found.credential_device_type == "multi_device",
    )


def unverified_names(unverified: str) -> tuple[str, str]:
    """Which credential an answer claims to be made with, and whose it says that is (empty if it does not).

    Raises:
        NotProved: it cannot be read.
    """
    try:
        said = json.loads(unverified)
        credential, handle = said["id"], said["response"].get("userHandle") or ""
        subject = _bytes(handle).decode("ascii")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotProved from error
    if not isinstance(credential, str) or not 0 < len(credential) <= _LONGEST_NAME:
        raise NotProved
    return credential, subject


def used_key(unverified: str, *, party: Party, challenge: bytes, public_key: str, count: int) -> int:
    """Check the answer to ``request_options`` with the key it claims; returns the device's new count.

    Raises:
        NotProved: for every reason alike, a count that did not rise too: there may be a copy.
    """
    try:
        _own_page(unverified)
        found = verify_authentication_response(
            credential=unverified,
            expected_challenge=challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=_bytes(public_key),
            credential_current_sign_count=count,
            require_user_verification=True,
        )
    except Exception as error:  # strangers' JSON, CBOR and signatures: whatever the reader stumbles over proves nothing
        raise NotProved from error
    return found.new_sign_count


def _own_page(unverified: str) -> None:
    """The answer was given to a page of ours, not to one inside somebody else's."""
    said = json.loads(_bytes(json.loads(unverified)["response"]["clientDataJSON"]))
    if said.get("crossOrigin", False) is not False or "topOrigin" in said:
        raise NotProved


def _plain(unverified: str) -> None:
    """Nothing but an empty or a self-made attestation is even looked at."""
    attestation = parse_attestation_object(_bytes(json.loads(unverified)["response"]["attestationObject"]))
    if attestation.fmt not in _FORMATS:
        raise NotProved


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Read strictly: one spelling of one value."""
    try:
        value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise NotProved from error
    if _text(value) != text:
        raise NotProved
    return value
