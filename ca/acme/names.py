# SPDX-License-Identifier: Apache-2.0
"""Identifiers in one spelling: DNS names in lower-case A-labels (RFC 5890), addresses as RFC 5952 writes them."""

import ipaddress
import re
from collections.abc import Iterable

import idna

from .models import Identifier, Kind
from .problems import Problem, Type

LONGEST = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_RESERVED = re.compile(r"..--")


def read_identifier(unverified: object, *, wildcard: bool) -> Identifier:
    """One identifier of a request; ``wildcard`` says whether one may be asked for.

    Raises:
        Problem: malformed, of an unknown type, or no name that a certificate could carry.
    """
    if not isinstance(unverified, dict) or set(unverified) != {"type", "value"}:
        raise Problem(Type.MALFORMED, "an identifier has a type and a value")
    kind, value = unverified["type"], unverified["value"]
    if not isinstance(kind, str) or not isinstance(value, str):
        raise Problem(Type.MALFORMED, "type and value of an identifier are texts")
    if kind not in (Kind.DNS, Kind.IP):
        raise Problem(Type.UNSUPPORTED_IDENTIFIER, "only the identifier types dns and ip are known here")
    try:
        found = address(value) if kind == Kind.IP else dns_name(value)
    except ValueError as error:
        raise Problem(Type.REJECTED_IDENTIFIER, f"this is no {kind} identifier in canonical form: {error}") from error
    if found.wildcard and not wildcard:
        raise Problem(Type.MALFORMED, "a wildcard cannot be asked for here")
    return found


def dns_name(text: str) -> Identifier:
    """A DNS name as identifier.

    Raises:
        ValueError: it is none; says why.
    """
    lowered = text.lower() if text.isascii() else ""
    labels = lowered.removeprefix("*.").split(".")
    if not lowered or len(lowered) > LONGEST or not all(_LABEL.fullmatch(each) for each in labels):
        raise ValueError("labels are letters, digits and inner hyphens, and other scripts are written as A-labels")
    if labels[-1].isdecimal():
        raise ValueError("an address is not a name")
    for label in labels:
        if _RESERVED.match(label):
            _check_a_label(label)
    return Identifier(Kind.DNS, lowered)


def address(text: str) -> Identifier:
    """An address as identifier; only its canonical spelling is one (RFC 8738 section 3).

    Raises:
        ValueError: it is none.
    """
    found = ipaddress.ip_address(text)
    if str(found) != text or "%" in text:
        raise ValueError(f"the canonical spelling is {found}")
    return Identifier(Kind.IP, text)


def read_rule(text: str) -> str:
    """One line of a grant in its canonical spelling; people may write names in their own script.

    Raises:
        ValueError: no name, address or network.
    """
    below = text.startswith(".")
    name = text.removeprefix(".")
    try:
        network = ipaddress.ip_network(name)
    except ValueError:
        if not name.isascii():
            name = _encoded(name)
        found = dns_name(name).value
        if below and found.startswith("*."):
            raise ValueError("a name with everything below holds its wildcard already") from None
        return ("." if below else "") + found
    if below:
        raise ValueError("an address has nothing below it")
    return str(network) if network.num_addresses > 1 else str(network.network_address)


def allows(rules: Iterable[str], identifier: Identifier) -> bool:
    """Whether a grant's lines name it.

    A name allows itself alone, ``*.name`` that wildcard alone, ``.name`` the name and all below it with wildcards; an
    address or network allows the addresses in it.
    """
    for rule in rules:
        if identifier.kind is Kind.IP:
            if _holds(rule, identifier.value):
                return True
        elif rule.startswith("."):
            if identifier.value == rule[1:] or identifier.value.endswith(rule):
                return True
        elif identifier.value == rule:
            return True
    return False


def reverse(identifier: Identifier) -> str:
    """The name by which TLS asks for an address (RFC 8738 section 6)."""
    return ipaddress.ip_address(identifier.value).reverse_pointer


def _holds(rule: str, value: str) -> bool:
    try:
        network = ipaddress.ip_network(rule)
    except ValueError:
        return False
    return ipaddress.ip_address(value) in network


def _check_a_label(label: str) -> None:
    try:
        idna.ulabel(label)
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError("an A-label of it is not one (RFC 5891)") from error


def _encoded(name: str) -> str:
    star = "*." if name.startswith("*.") else ""
    try:
        return star + idna.encode(name.removeprefix("*."), uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise ValueError("the name cannot be written in A-labels") from error
