# SPDX-License-Identifier: Apache-2.0
"""Certificates and revocation lists in the tree, where software finds them that knows LDAP and not us (RFC 4523).

What is said is always the whole of what an entry shall hold, so saying it twice changes nothing, and the last word
counts. The authority alone says it; every other part of an entry stays as it is.
"""

from collections.abc import Mapping, Sequence

from ..errors import BadName, NoSuchDevice, NoSuchOrganisation, NoSuchPerson, UnreadableCertificate
from ..ldap import Pool, Tree, changes
from ..ldap.changes import Change
from .journal import Journal

CERTIFICATE = "userCertificate;binary"
PEOPLE, ORGANISATIONS, DEVICES = "people", "organisations", "devices"
AUTHORITIES = "authorities"
MOST = 20
"""Certificates of one entry; who has more has kept none of the old ones in use."""
LONGEST_CERTIFICATE = 16 * 1024
LONGEST_LIST = 512 * 1024
"""Bytes; what an entry holds is read whole by everybody who reads it."""

_AUTHORITY = {"objectClass": ["tallyAuthority", "pkiCA", "deltaCRL"]}
_PARTS = {
    "certificate": ("cACertificate;binary", LONGEST_CERTIFICATE),
    "list": ("certificateRevocationList;binary", LONGEST_LIST),
    "delta": ("deltaRevocationList;binary", LONGEST_LIST),
}
_SEQUENCE = 0x30
_SHORT = 0x80


class Publishing:
    """The verbs of the authority."""

    def __init__(self, *, pool: Pool, tree: Tree, journal: Journal) -> None:
        self._pool = pool
        self._tree = tree
        self._journal = journal

    def certificates(self, kind: str, identifier: str, certificates: Sequence[bytes]) -> bool:
        """Let an entry hold exactly these certificates; whether that changed anything.

        Raises:
            NoSuchPerson, NoSuchOrganisation, NoSuchDevice: there is no such entry.
            UnreadableCertificate: one is none, or they are too many.
            DirectoryUnavailable: the server does not answer.
        """
        if len(certificates) > MOST or not all(_whole(each, LONGEST_CERTIFICATE) for each in certificates):
            raise UnreadableCertificate
        missing, name = {
            PEOPLE: (NoSuchPerson, self._tree.person),
            ORGANISATIONS: (NoSuchOrganisation, self._tree.organisation),
            DEVICES: (NoSuchDevice, self._tree.device),
        }.get(kind, (None, None))
        if missing is None or name is None:
            raise BadName
        dn = name(identifier)
        held = self._held(dn, (CERTIFICATE,))
        if held is None:
            raise missing
        return self._show(dn, held, {CERTIFICATE: certificates})

    def authority(self, name: str, parts: Mapping[str, bytes]) -> bool:
        """Let an authority's entry, made if there is none, hold its certificate, its list and its delta.

        So is the branch that it stands in, which a tree that an earlier release bore lacks.

        A part that is not given stays; an empty one goes. Returns whether that changed anything.

        Raises:
            UnreadableCertificate: one of them is no such thing, or is too long.
            DirectoryUnavailable: the server does not answer.
        """
        unknown = parts.keys() - _PARTS.keys()
        if unknown or not all(not each or _whole(each, _PARTS[part][1]) for part, each in parts.items()):
            raise UnreadableCertificate
        dn = self._tree.authority(name)
        wanted = {_PARTS[part][0]: [each] if each else [] for part, each in parts.items()}
        held = self._held(dn, tuple(wanted))
        if held is None:
            self._journal.show((*self._branch(), changes.add(dn, {**_AUTHORITY, "cn": [name]})))
        return self._show(dn, held or {}, wanted)

    def _branch(self) -> tuple[Change, ...]:
        dn = self._tree.branch(AUTHORITIES)
        if self._pool.read(dn, ["ou"]) is not None:
            return ()
        return (changes.add(dn, {"objectClass": ["organizationalUnit"], "ou": [AUTHORITIES]}),)

    def _held(self, dn: str, attributes: Sequence[str]) -> dict[str, list[bytes]] | None:
        entry = self._pool.read(dn, list(attributes))
        if entry is None:
            return None
        found = {name.lower(): list(values) for name, values in entry.attributes.items()}
        return {name: found.get(name.lower(), []) for name in attributes}

    def _show(self, dn: str, held: Mapping[str, Sequence[bytes]], wanted: Mapping[str, Sequence[bytes]]) -> bool:
        series = tuple(
            changes.publish(dn, name, values)
            for name, values in wanted.items()
            if sorted(values) != sorted(held.get(name, ()))
        )
        if series:
            self._journal.show(series)
        return bool(series)


def _whole(der: bytes, longest: int) -> bool:
    """Whether it is one DER sequence to its last byte; what is in it slapd checks itself."""
    if not 4 <= len(der) <= longest or der[0] != _SEQUENCE:  # noqa: PLR2004 - tag, length and something
        return False
    if der[1] < _SHORT:
        return der[1] == len(der) - 2
    size = der[1] - _SHORT
    return int.from_bytes(der[2 : 2 + size], "big") == len(der) - 2 - size
