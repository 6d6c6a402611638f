# SPDX-License-Identifier: Apache-2.0
"""dns-01 (RFC 8555 section 8.4): a record beside the name, the only way to a wildcard. And what CAA records allow."""

import hashlib
import hmac
from collections.abc import Collection

import dns.rdatatype

from ..jws import b64url
from ..models import Identifier, Kind, Method
from ..problems import Problem, Type
from .network import Deadline, Network


def look(network: Network, identifier: Identifier, *, expected: str, deadline: Deadline) -> None:
    """Look the record up.

    Raises:
        Problem: it is not there, or something else is.
    """
    name = f"_acme-challenge.{identifier.value}"
    wanted = b64url(hashlib.sha256(expected.encode()).digest()).encode()
    found = network.records(name, dns.rdatatype.TXT, deadline)
    if not found:
        raise Problem(Type.DNS, f"there is no TXT record at {name}")
    if not any(hmac.compare_digest(b"".join(each.strings), wanted) for each in found):
        raise Problem(Type.UNAUTHORIZED, f"no TXT record at {name} holds the digest of the key authorization")


def check_caa(
    network: Network,
    identifier: Identifier,
    *,
    wildcard: bool,
    identities: Collection[str],
    method: Method,
    accounts: Collection[str],
    deadline: Deadline,
) -> None:
    """Whether the holder of the domain lets us certify (RFC 8659), and this account by this method (RFC 8657).

    ``identities`` are the names by which a record can mean us; without any nothing is looked up. ``accounts`` are the
    addresses of the account.

    Raises:
        Problem: no.
    """
    if not identities or identifier.kind is Kind.IP:
        return
    labels = identifier.value.split(".")
    for place in range(len(labels)):
        records = network.records(".".join(labels[place:]), dns.rdatatype.CAA, deadline)
        if records:
            break
    else:
        return
    if any(each.flags & 128 and each.tag.lower() not in (b"issue", b"issuewild", b"iodef") for each in records):
        raise Problem(Type.CAA, f"a critical CAA record about {identifier.value} is not understood")
    by_tag = {tag: [each.value for each in records if each.tag.lower() == tag] for tag in (b"issue", b"issuewild")}
    rules = by_tag[b"issuewild"] if wildcard and by_tag[b"issuewild"] else by_tag[b"issue"]
    if not by_tag[b"issue"] and not (wildcard and by_tag[b"issuewild"]):
        return
    if not any(_permits(each, identities=identities, method=method, accounts=accounts) for each in rules):
        raise Problem(Type.CAA, f"CAA records about {identifier.value} do not let this authority certify")


def _permits(value: bytes, *, identities: Collection[str], method: Method, accounts: Collection[str]) -> bool:
    try:
        issuer, *parameters = [part.strip() for part in value.decode("ascii").split(";")]
    except UnicodeDecodeError:
        return False
    if issuer.lower() not in identities:
        return False
    for parameter in filter(None, parameters):
        name, _, said = parameter.partition("=")
        if name.strip().lower() == "validationmethods" and method not in [each.strip() for each in said.split(",")]:
            return False
        if name.strip().lower() == "accounturi" and said.strip() not in accounts:
            return False
    return True
