# SPDX-License-Identifier: Apache-2.0
"""The trust lists of other sites that this role follows: each in a folder with the key of its keeper and every version.

``NAME/key.pem`` is the pinned key, ``NAME/NUMBER.jws`` a version that was accepted. A version is never taken back: the
next one has a greater number, and a second one of the same number is a fork by its keeper, which is refused and told.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ..errors import ListRefused
from ..models import Trust
from ..trustlists import TrustList, merged, read_own, unverified

_KEY, _LARGEST = "key.pem", 4 * 1024 * 1024


@dataclass(frozen=True)
class Standing:
    """How one list stands."""

    name: str
    # 0: none was accepted so far.
    number: int
    # Empty, or why it is not used: "overdue", "form", "signature", "none".
    why: str = ""


class FollowedLists:
    """A folder of lists; reading it costs nothing that a verification would notice (``files`` tell when it changed)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def follow(self, name: str, key: bytes) -> None:
        """Pin the key of a list's keeper (PEM).

        Raises:
            ListRefused: it is no key, the name is none, or another key is pinned under it.
        """
        _public(key)
        if not name.isascii() or not name.replace("-", "").isalnum():
            raise ListRefused(why="form")
        place = self._folder / name / _KEY
        if place.exists() and place.read_bytes() != key:
            raise ListRefused(why="signature")
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_bytes(key)

    def accept(self, name: str, document: bytes, *, at: datetime) -> TrustList:
        """Take a new version; the same one again changes nothing.

        Raises:
            ListRefused: not by its keeper, malformed, overdue, older than the last, or another one of the same number.
        """
        place = self._folder / name
        if len(document) > _LARGEST or not (place / _KEY).is_file():
            raise ListRefused(why="form")
        newest = max(self._numbers(name), default=0)
        found = read_own(document, _public((place / _KEY).read_bytes()), at=at, newest=newest)
        file = place / f"{found.number}.jws"
        if file.exists():
            if file.read_bytes() != document:
                raise ListRefused(why="fork")
            return found
        new = place / f".{found.number}.{os.getpid()}"
        with new.open("wb") as written:
            written.write(document)
            written.flush()
            os.fsync(written.fileno())
        new.rename(file)
        return found

    def history(self, name: str, *, at: datetime) -> Iterator[TrustList]:
        """Every version that was accepted, oldest first, each as of its own time.

        Raises:
            ListRefused: one is not what was accepted.
        """
        key = _public((self._folder / name / _KEY).read_bytes())
        for number in self._numbers(name):
            document = (self._folder / name / f"{number}.jws").read_bytes()
            yield read_own(document, key, at=min(at, unverified(document).issued))

    def joined(self, own: Trust, *, at: datetime) -> Trust:
        """The site's own trust and every list that is good at this moment; ours counts where two speak of one."""
        found = [(name, trust) for name, trust, _ in self._all(at) if trust is not None]
        return merged([("", own), *found]) if found else own

    def standings(self, *, at: datetime) -> list[Standing]:
        """How each list stands."""
        return [standing for _, _, standing in self._all(at)]

    def files(self) -> list[Path]:
        """What ``joined`` reads."""
        return [path for path in sorted(self._folder.glob("*/*")) if not path.name.startswith(".")]

    def _all(self, at: datetime) -> Iterator[tuple[str, Trust | None, Standing]]:
        for folder in sorted(self._folder.glob("*/")):
            newest = max(self._numbers(folder.name), default=0)
            if not newest:
                yield folder.name, None, Standing(folder.name, 0, "none")
                continue
            try:
                key = _public((folder / _KEY).read_bytes())
                found = read_own((folder / f"{newest}.jws").read_bytes(), key, at=at)
            except ListRefused as error:
                yield folder.name, None, Standing(folder.name, newest, error.why)
            else:
                yield folder.name, found.trust(), Standing(folder.name, newest)

    def _numbers(self, name: str) -> list[int]:
        return sorted(int(path.stem) for path in (self._folder / name).glob("*.jws") if path.stem.isdecimal())


def _public(pem: bytes) -> EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise ListRefused(why="form") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ListRefused(why="form")
    return key
