# SPDX-License-Identifier: Apache-2.0
"""Time-stamps: each is recorded before it is signed, under a serial number never used again, by a clock that is sound.

A unit is one file, made by a ceremony or by the running role; what lies in the folder answers. Its key does nothing
else, its certificate must be valid and neither revoked nor suspended. Serial numbers are random like those of
certificates, so neither a crash nor a restored copy of the tables can repeat one.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from audit import Outcome, Recorder
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger
from core.site import SiteSettings

from ..config import CASettings
from ..errors import ClockUnsound, KeyUnusable, NoSuchUnit, UnitUnusable
from ..models import Issued, IssueRequest, Standing, serial_hex
from ..signer import StampSigner
from ..signer.keys import encode_key, write_private
from ..store import Store
from ..timestamps import (
    ClockWatch,
    Failure,
    Question,
    Stamp,
    Unfit,
    granted,
    read_kernel,
    read_question,
    refused,
    signed_attributes,
)
from ..x509 import Algorithm, algorithm_of, der, draw, generate
from ..x509.signing import algorithm_identifier
from ..x509.stamps import StampAttributes
from .authority import CertificateAuthority, self_request
from .notes import event

_log = logger(__name__)

INTERVAL = 60.0
"""Seconds between two looks at the clock and at the units, whoever asks or not."""
POLICY = ".3.1"
"""Below the site's arc: the policy under which time is stamped (docs/timestamps.md)."""
_LABEL = re.compile(r"[a-z][a-z0-9-]{0,31}")


class UnitState(StrEnum):
    """Whether a unit can stamp."""

    STAMPS = "stamps"
    # Its certificate begins later or has ended.
    OVER = "over"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    # No key, or one that does not belong to its certificate, or the tables do not know it.
    SPOILT = "spoilt"
    # Configured, and not made yet.
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class UnitStanding:
    """One unit as an officer sees it."""

    label: str
    state: UnitState
    algorithm: str
    # When its certificate ends; None if it cannot be read.
    ends: datetime | None
    # Whether the role makes the next one by itself.
    renewed: bool


class Stamping:
    """Answers for every unit in ``units``; ``ready`` raises while the tables may be older than the record."""

    def __init__(
        self,
        *,
        units: Path,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        watch: ClockWatch,
        settings: CASettings,
        policy: str,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._units = units
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._watch = watch
        self._settings = settings
        self._policy_text, self._policy = policy, der.oid(policy)
        self._ready = ready
        self._loaded: dict[str, tuple[int, StampSigner]] = {}
        self._lock = threading.Lock()
        self._unsound = ""

    @property
    def offers(self) -> bool:
        """Whether there is any unit."""
        return any(self._units.glob("*.pem"))

    def answer(self, unit: str, unverified: bytes) -> bytes:
        """A TimeStampResp: a stamp, or why there is none.

        Raises:
            NoSuchUnit: there is none of that name.
        """
        path = self._units / f"{unit}.pem"
        if not _LABEL.fullmatch(unit) or not path.is_file():
            raise NoSuchUnit
        try:
            question = read_question(unverified)
            if question.policy not in (b"", self._policy):
                return refused(Failure.UNACCEPTED_POLICY, f"time is stamped under {self._policy_text} here")
            return self._stamp(unit, path, question)
        except Unfit as unfit:
            return refused(unfit.failure, unfit.why)
        except ClockUnsound as error:
            return refused(Failure.TIME_NOT_AVAILABLE, error.detail)
        except TallygateError as error:
            # No record, no tables, no usable key: whoever asks cannot tell and must not care.
            _log.warning("no_stamp", unit=unit, code=error.code)
            return refused(Failure.SYSTEM_FAILURE, "no stamp can be given at the moment")

    def units(self) -> list[UnitStanding]:
        """Every unit that lies here or is configured, by label."""
        configured = self._settings.timestamps.units
        found = {path.stem for path in self._units.glob("*.pem")} | configured.keys()
        return [self._standing(label, renewed=label in configured) for label in sorted(found)]

    def told(self) -> Mapping[str, int]:
        """What a probe tells: numbers only; nothing where there is no unit."""
        units = self.units()
        if not units:
            return {}
        now = self._clock.now()
        left = [(each.ends - now).days for each in units if each.ends is not None]
        bad = sum(each.state is not UnitState.STAMPS for each in units)
        numbers = {"units": len(units), "units_not_stamping": bad, "unit_clock_unsound": int(bool(self._unsound))}
        return {**numbers, "unit_least_days": max(0, min(left))} if left else numbers

    def _standing(self, label: str, *, renewed: bool) -> UnitStanding:
        path = self._units / f"{label}.pem"
        said = self._settings.timestamps.units.get(label, "")
        if not path.exists():
            return UnitStanding(label=label, state=UnitState.MISSING, algorithm=said, ends=None, renewed=renewed)
        try:
            certificate = self._load(label, path).certificate
        except KeyUnusable:
            return UnitStanding(label=label, state=UnitState.SPOILT, algorithm=said, ends=None, renewed=renewed)
        stored = self._store.standing(serial_hex(certificate.serial_number))
        inside = certificate.not_valid_before_utc <= self._clock.now() < certificate.not_valid_after_utc
        state = _STATES.get(stored.standing, UnitState.SPOILT) if stored else UnitState.SPOILT
        algorithm = algorithm_of(certificate.public_key())
        return UnitStanding(
            label=label,
            state=state if inside or state is not UnitState.STAMPS else UnitState.OVER,
            algorithm=algorithm.value if algorithm else said,
            ends=certificate.not_valid_after_utc,
            renewed=renewed,
        )

    def look(self) -> datetime:
        """The time, if it may be stamped; what is new about the clock is recorded once.

        Raises:
            ClockUnsound: it may not.
        """
        try:
            at = self._watch.moment()
        except ClockUnsound as error:
            self._told(str(error.parameters["why"]))
            raise
        self._told("")
        return at

    def renew(self, authority: CertificateAuthority) -> int:
        """Make every configured unit that is missing, spoilt or past half its life anew; returns how many.

        Raises:
            TallygateError: one could not be made; the old one stamps on.
        """
        made = 0
        for label, algorithm in self._settings.timestamps.units.items():
            if not self._lasts(label):
                issue_unit(authority, self._units / f"{label}.pem", Algorithm(algorithm), actor="role:ca")
                made += 1
        return made

    def _stamp(self, unit: str, path: Path, question: Question) -> bytes:
        # 1. What would be stamped, when, and by which unit: with a wrong clock nobody knows which are valid.
        at = self.look()
        self._ready()
        signer = self._usable(unit, path)
        serial = draw(self._settings.instance)
        info = Stamp(
            policy=self._policy,
            imprint=question.imprint,
            nonce=question.nonce,
            serial=serial,
            at=at,
            accuracy=self._settings.timestamps.accuracy,
        ).encode()
        attributes = signed_attributes(info, certificate=signer.certificate, digest=signer.digest)
        # 2. No clock may stand before it from now on, and nothing is stamped unrecorded.
        self._watch.keep(at)
        self._record(unit, question, serial, info)
        # 3. The signature. A death before it leaves an entry about a stamp that nobody got.
        signature = signer.stamp(StampAttributes(attributes))
        return granted(
            info,
            attributes=attributes,
            signature=signature,
            algorithm=algorithm_identifier(signer.certificate.public_key()),
            digest=signer.digest,
            certificate=signer.certificate,
            shown=(signer.certificate, *signer.chain) if question.certificates else (),
        )

    def _record(self, unit: str, question: Question, serial: int, info: bytes) -> None:
        self._recorder.record(
            event(
                "ca.timestamp.stamped",
                Outcome.SUCCESS,
                at=self._clock.now(),
                serial=serial_hex(serial),
                attributes={
                    "unit": unit,
                    "hashed": question.hashed,
                    "imprint": question.digest.hex(),
                    "stamp_policy": self._policy_text,
                    "info": hashlib.sha256(info).hexdigest(),
                },
            )
        )

    def _usable(self, unit: str, path: Path) -> StampSigner:
        signer = self._load(unit, path)
        certificate, now = signer.certificate, self._clock.now()
        stored = self._store.standing(serial_hex(certificate.serial_number))
        inside = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
        if not inside or stored is None or stored.standing is not Standing.GOOD:
            raise UnitUnusable
        return signer

    def _load(self, unit: str, path: Path) -> StampSigner:
        try:
            stamp = path.stat().st_mtime_ns
        except OSError as error:
            raise KeyUnusable(path=str(path), why=error.strerror or "unreadable") from error
        with self._lock:
            known = self._loaded.get(unit)
            if known is None or known[0] != stamp:
                known = (stamp, StampSigner.load(path))
                self._loaded[unit] = known
            return known[1]

    def _lasts(self, label: str) -> bool:
        try:
            certificate = self._usable(label, self._units / f"{label}.pem").certificate
        except (KeyUnusable, UnitUnusable):
            return False
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return self._clock.now() < begins + (ends - begins) / 2

    def _told(self, why: str) -> None:
        with self._lock:
            if why == self._unsound:
                return
            was, self._unsound = self._unsound, why
        kind = "ca.timestamp.clock.unsound" if why else "ca.timestamp.clock.sound"
        _log.warning(kind, why=why or was)
        told = event(
            kind,
            Outcome.FAILURE if why else Outcome.SUCCESS,
            at=self._clock.now(),
            attributes={"reason": why or was},
        )
        try:
            self._recorder.record(told)
        except TallygateError as error:
            # The record of it is a courtesy: stamps are refused either way.
            _log.warning("clock_not_told", code=error.code)


_STATES = {
    Standing.GOOD: UnitState.STAMPS,
    Standing.SUSPENDED: UnitState.SUSPENDED,
    Standing.REVOKED: UnitState.REVOKED,
}


class StampKeeper:
    """A daemon thread that looks at the clock even while nobody asks, and after the configured units."""

    def __init__(self, stamping: Stamping, authority: CertificateAuthority, *, interval: float = INTERVAL) -> None:
        self._stamping = stamping
        self._authority = authority
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ca-stamps", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for a look under way."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = self._interval
            try:
                self._stamping.renew(self._authority)
                if self._stamping.offers:
                    self._stamping.look()
            except ClockUnsound:
                continue
            except TallygateError as error:
                _log.warning("units_wait", code=error.code)
                pause = min(self._interval, 2.0)
            except Exception:  # noqa: BLE001 - without this thread units would run out unnoticed
                _log.error("units_failed", exc_info=True)


def issue_unit(authority: CertificateAuthority, path: Path, algorithm: Algorithm, *, actor: str) -> Issued:
    """Key and certificate of a unit in one file, by the one issuance function; the old file stays until then.

    Raises:
        TallygateError: as ``issue``.
    """
    key = generate(algorithm)
    issued = authority.issue(
        IssueRequest(
            profile="timestamp",
            csr=self_request(key),
            subject=f"tsu-{path.stem}",
            actor=actor,
            actor_roles=frozenset({actor}),
        )
    )
    write_private(path, encode_key(key) + issued.certificate + issued.chain)
    return issued


def unit_folder(site: SiteSettings) -> Path:
    """Where units lie: key, certificate and the authorities above it in one file each."""
    return site.folder("ca") / "units"


def open_stamping(
    *,
    site: SiteSettings,
    settings: CASettings,
    store: Store,
    recorder: Recorder,
    clock: Clock,
    ready: Callable[[], None] = lambda: None,
) -> Stamping:
    """The time-stamping authority of a site."""
    own = settings.timestamps
    watch = ClockWatch(
        clock,
        accuracy=own.accuracy,
        mark=site.folder("ca") / "stamped",
        kernel=read_kernel if own.synchronised else None,
    )
    return Stamping(
        units=unit_folder(site),
        store=store,
        recorder=recorder,
        clock=clock,
        watch=watch,
        settings=settings,
        policy=site.oid_base + POLICY,
        ready=ready,
    )
