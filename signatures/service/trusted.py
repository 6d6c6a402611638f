# SPDX-License-Identifier: Apache-2.0
"""The trust lists of others that this role follows: each in a folder with who keeps it and every version.

``NAME/key.pem`` is the pinned key of another site's keeper and ``NAME/NUMBER.jws`` a version that was accepted;
``NAME/signers.pem`` and ``NAME/NUMBER.xml`` the same of a state's list, and ``NAME.TERRITORY`` a list that the list of
lists NAME leads to. A version is never taken back: the next one has a greater number, and a second one of the same
number is a fork by its keeper, which is refused and told.
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from ..errors import ListRefused
from ..models import Trust
from ..trustlists import Issue, TrustList, merged, read_issue, read_own, unverified

_KEY, _SIGNERS, _NOTE = "key.pem", "signers.pem", ".fetched.json"
_LARGEST, _LARGEST_OF_STATES = 4 * 1024 * 1024, 32 * 1024 * 1024
_Before = Callable[[int], None]
_Pin = Callable[[], None]


@dataclass(frozen=True)
class Standing:
    """How one list stands."""

    name: str
    # 0: none was accepted so far.
    number: int
    # Empty, or why it is not used: "overdue", "form", "signature", "none", "withdrawn".
    why: str = ""


@dataclass(frozen=True)
class Fetched:
    """How the last question for a list ended."""

    # ISO 8601; of the last question, and of the last that was answered well.
    asked: str
    answered: str = ""
    # Empty, or a short word: "unreachable", "answer", or why the list was refused.
    failure: str = ""
    # By which its server knows the version that was accepted.
    etag: str = ""


class FollowedLists:
    """A folder of lists; a state's list is read once per process and version, for it is large."""

    def __init__(self, folder: Path, *, settled: Collection[str] | None = None) -> None:
        """``settled`` names the lists that the settings want fetched: one that they no longer name counts no more."""
        self._folder = folder
        self._settled = settled
        self._issues: dict[str, tuple[tuple[object, ...], Issue]] = {}

    def follow(self, name: str, key: bytes, *, before: _Pin | None = None) -> None:
        """Pin the key of a list's keeper (PEM). ``before`` is called before it counts, if it did not yet.

        Raises:
            ListRefused: it is no key, the name is none, or another key is pinned under it.
        """
        _public(key)
        if not _is_name(name):
            raise ListRefused(why="form")
        place = self._folder / name / _KEY
        if place.exists():
            if place.read_bytes() != key:
                raise ListRefused(why="signature")
            return
        if before is not None:
            before()
        _put(place, key)

    def accept(self, name: str, document: bytes, *, at: datetime, before: _Before | None = None) -> TrustList:
        """Take a new version; the same one again changes nothing. ``before`` is told its number before it counts.

        Raises:
            ListRefused: not by its keeper, malformed, overdue, older than the last, or another one of the same number.
        """
        place = self._folder / name
        if len(document) > _LARGEST or not (place / _KEY).is_file():
            raise ListRefused(why="form")
        newest = max(self._numbers(name), default=0)
        found = read_own(document, _public((place / _KEY).read_bytes()), at=at, newest=newest)
        _keep(place / f"{found.number}.jws", document, found.number, before)
        return found

    def follow_state(self, name: str, signers: Sequence[bytes], *, before: _Pin | None = None) -> None:
        """Have a state's list signed by one of these certificates (DER) from now on; ``before`` as with ``follow``.

        Raises:
            ListRefused: one is no certificate, there is none, or the name is none.
        """
        try:
            texts = [x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM) for each in signers]
        except ValueError as error:
            raise ListRefused(why="form") from error
        place = self._folder / name / _SIGNERS
        if not texts or not all(map(_is_name, name.split("."))):
            raise ListRefused(why="form")
        if not place.exists() or place.read_bytes() != b"".join(texts):
            if before is not None:
                before()
            _put(place, b"".join(texts))

    def accept_state(self, name: str, document: bytes, *, at: datetime, before: _Before | None = None) -> Issue:
        """Take a new issue of a state's list, as ``accept``.

        Raises:
            ListRefused: as ``accept``, or it has no number.
        """
        place = self._folder / name
        if len(document) > _LARGEST_OF_STATES or not (place / _SIGNERS).is_file():
            raise ListRefused(why="form")
        found = read_issue(document, _signers(place / _SIGNERS), at=at)
        if not found.number:
            raise ListRefused(why="form")
        if found.number < max(self._numbers(name), default=0):
            raise ListRefused(why="older")
        _keep(place / f"{found.number}.xml", document, found.number, before)
        return found

    def drop_state(self, name: str) -> None:
        """Trust a state's list no more; its versions stay for the history."""
        (self._folder / name / _SIGNERS).unlink(missing_ok=True)

    def issue(self, name: str, *, at: datetime) -> Issue:
        """The newest issue of a state's list.

        Raises:
            ListRefused: there is none that counts at this moment.
        """
        place = self._folder / name
        newest = place / f"{max(self._numbers(name), default=0)}.xml"
        try:
            marks = tuple((each.stat().st_mtime_ns, each.stat().st_ino) for each in (newest, place / _SIGNERS))
        except OSError as error:
            raise ListRefused(why="withdrawn" if newest.exists() else "none") from error
        known = self._issues.get(name)
        if known is None or known[0] != marks:
            known = (marks, read_issue(newest.read_bytes(), _signers(place / _SIGNERS), at=at))
            self._issues[name] = known
        if known[1].due < at:
            raise ListRefused(why="overdue")
        return known[1]

    def led_to(self, name: str) -> set[str]:
        """The lists that a list of lists led to so far."""
        return {folder.name for folder in self._folder.glob(f"{name}.*/") if (folder / _SIGNERS).exists()}

    def history(self, name: str, *, at: datetime) -> Iterator[TrustList]:
        """Every version of another site's list that was accepted, oldest first, each as of its own time.

        Raises:
            ListRefused: one is not what was accepted.
        """
        if not (self._folder / name / _KEY).is_file():
            raise ListRefused(why="form")
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

    def fetched(self, name: str) -> Fetched | None:
        """How the last question for it ended; nothing if it was never asked for."""
        try:
            return Fetched(**json.loads((self._folder / name / _NOTE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def note(self, name: str, told: Fetched) -> None:
        """Remember how a question for it ended."""
        _put(self._folder / name / _NOTE, json.dumps(asdict(told)).encode())

    def files(self) -> list[Path]:
        """What ``joined`` reads."""
        return [path for path in sorted(self._folder.glob("*/*")) if not path.name.startswith(".")]

    def _all(self, at: datetime) -> Iterator[tuple[str, Trust | None, Standing]]:
        good: set[str] = set()
        for folder in sorted(self._folder.glob("*/")):
            name = folder.name
            newest = max(self._numbers(name), default=0)
            above, _, led = name.partition(".")
            no_more = self._settled is not None and (folder / _NOTE).exists() and above not in self._settled
            if no_more or (led and above not in good):
                yield name, None, Standing(name, newest, "withdrawn")
                continue
            try:
                trust = self._trust(folder, newest, at)
            except ListRefused as error:
                yield name, None, Standing(name, newest, error.why)
            else:
                good.add(name)
                yield name, trust, Standing(name, newest)

    def _trust(self, folder: Path, newest: int, at: datetime) -> Trust:
        if not newest:
            raise ListRefused(why="none")
        if not (folder / f"{newest}.jws").is_file():
            return self.issue(folder.name, at=at).trust
        if not (folder / _KEY).is_file():
            raise ListRefused(why="form")
        return read_own((folder / f"{newest}.jws").read_bytes(), _public((folder / _KEY).read_bytes()), at=at).trust()

    def _numbers(self, name: str) -> list[int]:
        found = (self._folder / name).glob("*.*")
        return sorted(int(path.stem) for path in found if path.suffix in {".jws", ".xml"} and path.stem.isdecimal())


def _is_name(text: str) -> bool:
    return text.isascii() and text.replace("-", "").isalnum()


def _keep(file: Path, document: bytes, number: int, before: _Before | None) -> None:
    if file.exists():
        if file.read_bytes() != document:
            raise ListRefused(why="fork")
        return
    if before is not None:
        before(number)
    _put(file, document)


def _put(file: Path, content: bytes) -> None:
    """Whole or not at all."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with new.open("wb") as written:
        written.write(content)
        written.flush()
        os.fsync(written.fileno())
    new.rename(file)


def _signers(file: Path) -> list[bytes]:
    try:
        return [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(file.read_bytes())]
    except (OSError, ValueError) as error:
        raise ListRefused(why="form") from error


def _public(pem: bytes) -> EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise ListRefused(why="form") from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise ListRefused(why="form")
    return key
