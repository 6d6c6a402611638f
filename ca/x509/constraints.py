# SPDX-License-Identifier: Apache-2.0
"""Names as RFC 5280 compares them (section 7), and where an issuer may name subjects (section 4.2.1.10)."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

Canonical = tuple[frozenset[tuple[str, str]], ...]


def canonical(name: x509.Name) -> Canonical:
    """A name as it is compared: case, width and runs of spaces do not count, nor which kind of string it is."""
    return tuple(frozenset((each.oid.dotted_string, _folded(each.value)) for each in rdn) for rdn in name.rdns)


class Constraints:
    """What the issuers of a path permit and exclude, all of them together."""

    def __init__(self) -> None:
        self._permitted: list[Sequence[x509.GeneralName]] = []
        self._excluded: list[x509.GeneralName] = []

    def narrow(self, more: x509.NameConstraints) -> None:
        """Add those of one issuer."""
        if more.permitted_subtrees:
            self._permitted.append(more.permitted_subtrees)
        self._excluded += more.excluded_subtrees or []

    def allow(self, certificate: x509.Certificate) -> bool:
        """Whether every name of the certificate lies where each issuer permits and none where one excludes.

        Raises:
            ValueError: a name is of a kind that is constrained here and not understood.
        """
        return self.allow_names(_names(certificate))

    def allow_names(self, names: Iterable[x509.GeneralName]) -> bool:
        """The same of names that are not yet in a certificate; raises as ``allow`` does."""
        for name in names:
            if any(_within(name, tree) for tree in self._excluded if _alike(name, tree)):
                return False
            for trees in self._permitted:
                own = [tree for tree in trees if _alike(name, tree)]
                if own and not any(_within(name, tree) for tree in own):
                    return False
        return True


def _names(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    if certificate.subject.rdns:
        yield x509.DirectoryName(certificate.subject)
    try:
        found = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        found = []
    yield from found
    if not any(isinstance(each, x509.RFC822Name) for each in found):
        for each in certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
            yield x509.RFC822Name(str(each.value))


def _alike(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    return type(name) is type(tree)


def _within(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    match name, tree:
        case x509.DirectoryName(), x509.DirectoryName():
            own, root = canonical(name.value), canonical(tree.value)
            return own[: len(root)] == root
        case x509.DNSName(), x509.DNSName():
            return _below(name.value, tree.value.removeprefix("."))
        case x509.RFC822Name(), x509.RFC822Name():
            return _mail(name.value, tree.value)
        case x509.UniformResourceIdentifier(), x509.UniformResourceIdentifier():
            return _host(name.value, tree.value)
        case x509.IPAddress(), x509.IPAddress():
            return name.value in tree.value  # type: ignore[operator]  # in a constraint it is a network
    raise ValueError("a constrained name of an unknown kind")


def _below(host: str, root: str) -> bool:
    host, root = host.lower(), root.lower()
    return not root or host == root or host.endswith(f".{root}")


def _mail(address: str, tree: str) -> bool:
    local, _, host = address.rpartition("@")
    if "@" in tree:
        wanted, _, place = tree.rpartition("@")
        return (local, host.lower()) == (wanted, place.lower())
    return host.lower().endswith(tree.lower()) if tree.startswith(".") else host.lower() == tree.lower()


def _host(address: str, tree: str) -> bool:
    host = (urlsplit(address).hostname or "").lower()
    if not host or host.replace(".", "").isdigit() or ":" in host:
        # Without a host's name nothing can be said, so it is neither permitted nor let through.
        raise ValueError("a constrained address without a host's name")
    return host.endswith(tree.lower()) if tree.startswith(".") else host == tree.lower()


def _folded(value: str | bytes) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
