# SPDX-License-Identifier: Apache-2.0
"""The key of the identity header changes by itself: announced, then signing, then believed for a while, then gone.

Everything stands in one file of the role's folder, ``ring.json``: which key signs, which will, which still count, and
what of it is not yet on the record. Each step puts one file in the place of another, so that a death between two steps
leaves the state before or after one; the next look goes on. A key is told to nobody before the record has the intent,
and signs only after everybody had ``overlap`` to hear of it. Private halves of former keys are destroyed.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from audit import Event, Outcome, Recorder, RecordUnavailable, Wait
from core.clock import Clock
from core.errors import Conflict
from core.identity import IdentityIssuer
from core.jose import thumbprint
from core.log import logger

_RING = "ring.json"
_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Key:
    """One key: its thumbprint (RFC 7638), its public half, and since when it is what it is."""

    kid: str
    public: str
    since: str
    # Of one that will sign: who wished it, and whether it shall sign at once.
    # Since when everybody may know of it; empty as long as the record has no intent.
    told: str = ""
    actor: str = ""
    at_once: bool = False

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.since)

    @property
    def key(self) -> EllipticCurvePublicKey:
        found = load_pem_public_key(self.public.encode("ascii"))
        assert isinstance(found, EllipticCurvePublicKey)  # noqa: S101 - written by ourselves
        return found


@dataclass(frozen=True, kw_only=True)
class _Ring:
    signing: _Key
    fresh: _Key | None = None
    retained: tuple[_Key, ...] = ()
    # What took over, and from whom, while its outcome is not on the record.
    owed: _Key | None = None
    before: str = ""


class IdentityKeys:
    """Looks after the folder for one worker, and keeps its issuer as the folder is; whoever acts has the lock."""

    def __init__(
        self,
        folder: Path,
        *,
        first: Path,
        published: Path,
        recorder: Recorder,
        clock: Clock,
        every: timedelta,
        overlap: timedelta,
    ) -> None:
        """``first`` is the key of the site's birth; ``published`` is where the site's own hosts read all that count."""
        self._folder = folder
        self._first = first
        self._published = published
        self._recorder = recorder
        self._clock = clock
        self._every = every
        self._overlap = overlap
        self._seen: _Ring | None = None

    def issuer(self) -> IdentityIssuer:
        """One that signs with the key in force.

        Raises:
            OSError, ValueError: there is no key that can be read.
        """
        with self._alone():
            ring = self._read()
        made = IdentityIssuer(self._private(ring.signing.kid))
        self._see(made)
        return made

    def look(self, issuer: IdentityIssuer) -> None:
        """Take the one step that is due, if one is, and have the issuer sign as the folder says.

        Raises:
            RecordUnavailable: a step was due and could not be recorded; it was not taken.
            OSError, ValueError: the folder cannot be read or written.
        """
        try:
            with self._alone():
                self._step(self._read())
        finally:
            self._see(issuer)

    def begin(self, *, actor: str, at_once: bool) -> tuple[str, str]:
        """Make the next key; its thumbprint and its public half.

        It signs after the overlap; ``at_once`` it signs at the next look, and the old one ends.

        Raises:
            Conflict: another is on its way.
            RecordUnavailable: nobody is told of it yet; a later look records it and goes on.
        """
        with self._alone():
            ring = self._read()
            if ring.fresh is not None:
                raise Conflict
            ring = self._announce(ring, actor=actor, at_once=at_once)
            self._tell(ring)
        assert ring.fresh is not None  # noqa: S101 - just made
        return ring.fresh.kid, ring.fresh.public

    def standing(self) -> Mapping[str, Sequence[str]]:
        """Thumbprints by what they are, for whoever looks."""
        with self._alone():
            ring = self._read()
        return {
            "announced": [ring.fresh.kid] if ring.fresh and ring.fresh.told else [],
            "signing": [ring.signing.kid],
            "retained": [each.kid for each in ring.retained],
        }

    def _step(self, ring: _Ring) -> None:
        now = self._clock.now()
        if ring.owed is not None:
            self._recorder.record(_rotated(ring.owed, ring.before, Outcome.SUCCESS))
            self._put(replace(ring, owed=None, before=""))
            return
        if ring.fresh is not None and not ring.fresh.told:
            self._tell(ring)
            return
        if ring.fresh is not None:
            if ring.fresh.at_once or now >= datetime.fromisoformat(ring.fresh.told) + self._overlap:
                self._take_over(ring, ring.fresh, now)
            return
        for each in ring.retained:
            if now >= each.at + self._overlap:
                self._recorder.record(_removed(each, now))
                self._put(replace(ring, retained=tuple(kept for kept in ring.retained if kept is not each)))
                return
        if self._every and now >= ring.signing.at + self._every:
            self._announce(ring, actor="role:gateway", at_once=False)

    def _announce(self, ring: _Ring, *, actor: str, at_once: bool) -> _Ring:
        fresh = generate_private_key(SECP256R1())
        kid = thumbprint(fresh.public_key())
        _write(self._folder / f"{kid}.key", _encoded(fresh))
        made = _Key(kid=kid, public=_public(fresh), since=self._clock.now().isoformat(), actor=actor, at_once=at_once)
        ring = replace(ring, fresh=made)
        self._put(ring)
        return ring

    def _tell(self, ring: _Ring) -> None:
        """Record that it shall sign; only from here on does anybody hear of it, and only now does its time begin."""
        fresh = ring.fresh
        assert fresh is not None  # noqa: S101 - whoever calls has seen it
        self._recorder.record(_rotated(fresh, ring.signing.kid, Outcome.INTENDED), wait=Wait.PUBLISHED)
        self._put(replace(ring, fresh=replace(fresh, told=self._clock.now().isoformat())))

    def _take_over(self, ring: _Ring, fresh: _Key, now: datetime) -> None:
        old = replace(ring.signing, since=now.isoformat())
        # Who wants a key out at once does not want it believed any longer either.
        retained = ring.retained if fresh.at_once else (*ring.retained, old)
        self._put(
            _Ring(
                signing=replace(fresh, since=now.isoformat()),
                retained=retained,
                owed=fresh,
                before=old.kid,
            )
        )
        with suppress(RecordUnavailable):
            # The intent is there; without the log its outcome waits for a later look.
            self._step(self._read())

    def _see(self, issuer: IdentityIssuer) -> None:
        """What the folder says now is what this worker signs with and tells of."""
        ring = self._read()
        if ring == self._seen:
            return
        told = [ring.fresh] if ring.fresh is not None and ring.fresh.told else []
        others = [each.key for each in (*told, *ring.retained)]
        content = "".join(each.public for each in (ring.signing, *told, *ring.retained)).encode("ascii")
        # Told first: whoever checks must not meet a signature before its key.
        draft = self._published.with_name(f".{self._published.name}-{os.getpid()}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o640)
        draft.replace(self._published)
        issuer.become(self._private(ring.signing.kid), others=others)
        self._seen = ring

    def _read(self) -> _Ring:
        try:
            found = json.loads((self._folder / _RING).read_bytes())
        except FileNotFoundError:
            return self._founded()
        one = {name: _Key(**found[name]) if found[name] else None for name in ("signing", "fresh", "owed")}
        signing = one.pop("signing")
        if signing is None:
            raise ValueError("no key signs")
        return _Ring(
            signing=signing, **one, retained=tuple(_Key(**each) for each in found["retained"]), before=found["before"]
        )

    def _founded(self) -> _Ring:
        """A site that never changed its key: the one of its birth signs."""
        key = load_pem_private_key(self._first.read_bytes(), password=None)
        if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
            raise ValueError("not a P-256 key")  # noqa: TRY004 - the content, not the type, is wrong
        kid = thumbprint(key.public_key())
        _write(self._folder / f"{kid}.key", _encoded(key))
        ring = _Ring(signing=_Key(kid=kid, public=_public(key), since=self._clock.now().isoformat()))
        self._put(ring)
        return ring

    def _put(self, ring: _Ring) -> None:
        _write(self._folder / _RING, json.dumps(asdict(ring)).encode())
        # What no state names any more is nobody's key, and nobody shall find it.
        kept = {f"{each.kid}.key" for each in (ring.signing, ring.fresh) if each is not None}
        for path in self._folder.glob("*.key"):
            if path.name not in kept:
                path.unlink()
        if self._first.exists() and ring.before:
            self._first.unlink()

    def _private(self, kid: str) -> EllipticCurvePrivateKey:
        key = load_pem_private_key((self._folder / f"{kid}.key").read_bytes(), password=None)
        if not isinstance(key, EllipticCurvePrivateKey) or thumbprint(key.public_key()) != kid:
            raise ValueError("another key than its name says")
        return key

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time; the death of one lets go."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
            os.fsync(handle)
        finally:
            os.close(handle)


def _write(path: Path, content: bytes) -> None:
    """Put a file in the place of another, whole and durable, for this user alone."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _encoded(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public(key: EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def _rotated(fresh: _Key, old: str, outcome: Outcome) -> Event:
    """The same for every try, so that what is there already is not recorded twice."""
    said = f"gateway.key.rotated\n{outcome}\n{fresh.kid}\n{old}\n{fresh.since}"
    return Event(
        key=hashlib.sha256(said.encode()).hexdigest()[:32],
        type="gateway.key.rotated",
        outcome=outcome,
        at=fresh.at,
        source="gateway",
        object=fresh.kid,
        actor=fresh.actor,
        attributes={"retained": "" if fresh.at_once else old},
    )


def _removed(key: _Key, at: datetime) -> Event:
    return Event(
        key=hashlib.sha256(f"gateway.key.removed\n{key.kid}\n{key.since}".encode()).hexdigest()[:32],
        type="gateway.key.removed",
        outcome=Outcome.SUCCESS,
        at=at,
        source="gateway",
        object=key.kid,
        actor="role:gateway",
        attributes={},
    )
