# SPDX-License-Identifier: Apache-2.0
"""The key of the identity header changes under load and through deaths, and no request fails for it."""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from audit import Event, Outcome, RecordUnavailable
from core.errors import Conflict
from core.identity import (
    REFRESH_EVERY,
    REREAD_EVERY,
    Identity,
    IdentityIssuer,
    IdentityRefused,
    IdentityVerifier,
    KeysAt,
)
from gateway.service import IdentityKeys, identity_keys
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder

WHO = Identity(
    subject="s", kind="person", session="", roles=frozenset(), assurance=1, methods=(), zone="external", decision="d"
)
DAY, OVERLAP = timedelta(days=1), timedelta(minutes=10)


class Site:
    """A folder of the role, the public one, and hosts that read what is published."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.recorder = folder, ManualClock(), ListRecorder()
        key = ec.generate_private_key(ec.SECP256R1())
        self.first = folder / "identity.key"
        self.first.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.birth = folder / "gateway-identity.pem"
        self.birth.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        self.published = folder / "identity-keys.pem"

    def worker(self) -> IdentityKeys:
        return IdentityKeys(
            self.folder / "identity", first=self.first, published=self.published, recorder=self.recorder,
            clock=self.clock, every=90 * DAY, overlap=OVERLAP,
        )  # fmt: skip

    def host(self, monotonic: Callable[[], float] | None = None) -> IdentityVerifier:
        keys = KeysAt(self.published, self.birth, monotonic=monotonic or self.clock.monotonic)
        return IdentityVerifier(keys, audience="tax")

    def header(self, issuer: IdentityIssuer) -> str:
        return issuer.issue(WHO, audience="tax", method="GET", path="/", at=self.clock.now())

    def lets(self, host: IdentityVerifier, header: str) -> bool:
        try:
            return host.verify(header, method="GET", path="/", at=self.clock.now()).subject == "s"
        except IdentityRefused:
            return False

    def told(self) -> list[tuple[str, Outcome]]:
        return [(event.type.removeprefix("gateway.key."), event.outcome) for event in self.recorder.events]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_key_is_announced_signs_is_believed_and_gone(site: Site) -> None:
    keys = site.worker()
    issuer = keys.issuer()
    host = site.host()
    old = site.header(issuer)
    assert site.lets(host, old)
    site.clock.advance(90 * DAY)
    for _ in range(2):
        keys.look(issuer)
    standing = keys.standing()
    (fresh,), (signing,) = standing["announced"], standing["signing"]
    # Told as a set to hosts with software of their own, before it signs.
    assert [key["kid"] for key in issuer.keys()["keys"]] == [signing, fresh]
    assert site.told() == [("rotated", Outcome.INTENDED)]
    site.clock.advance(OVERLAP)
    before = site.header(issuer)
    keys.look(issuer)
    assert keys.standing() == {"announced": [], "signing": [fresh], "retained": [signing]}
    after = site.header(issuer)
    assert site.lets(host, before), "signed by the old key a moment ago"
    assert site.lets(host, after)
    assert site.told() == [("rotated", Outcome.INTENDED), ("rotated", Outcome.SUCCESS)]
    # The private half of the old one is nowhere any more.
    assert not site.first.exists()
    assert [path.stem for path in (site.folder / "identity").glob("*.key")] == [fresh]
    site.clock.advance(OVERLAP)
    keys.look(issuer)
    assert keys.standing()["retained"] == []
    assert site.told()[-1] == ("removed", Outcome.SUCCESS)
    assert [key["kid"] for key in issuer.keys()["keys"]] == [fresh]


def test_no_record_no_new_key(site: Site) -> None:
    keys = site.worker()
    issuer = keys.issuer()
    site.recorder.down = True
    with pytest.raises(RecordUnavailable):
        keys.begin(actor="role:app", at_once=False)
    assert keys.standing()["announced"] == []
    assert len(issuer.keys()["keys"]) == 1
    with pytest.raises(Conflict):
        keys.begin(actor="role:app", at_once=False)
    site.recorder.down = False
    keys.look(issuer)
    assert len(keys.standing()["announced"]) == 1
    # Its time begins when it was told, not when it was made.
    site.clock.advance(OVERLAP - timedelta(seconds=1))
    keys.look(issuer)
    assert len(keys.standing()["announced"]) == 1


def test_a_key_that_may_be_known_is_out_at_once(site: Site) -> None:
    keys = site.worker()
    issuer = keys.issuer()
    host, stolen = site.host(), site.header(issuer)
    assert site.lets(host, stolen)
    kid, public = keys.begin(actor="role:app", at_once=True)
    site.birth.write_text(public)
    keys.look(issuer)
    assert keys.standing() == {"announced": [], "signing": [kid], "retained": []}
    site.clock.advance(timedelta(seconds=REREAD_EVERY))
    assert site.lets(host, site.header(issuer))
    assert not site.lets(host, stolen)
    # Also with hosts that start while no gateway runs.
    site.published.unlink()
    assert not site.lets(site.host(), stolen)


def test_a_key_taken_out_is_believed_for_a_minute_at_most_and_an_invented_one_costs_little(site: Site) -> None:
    keys = site.worker()
    issuer, host = keys.issuer(), site.host()
    old = site.header(issuer)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    site.published.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert site.lets(host, old)
    stranger = site.header(IdentityIssuer(ec.generate_private_key(ec.SECP256R1())))
    assert not site.lets(host, stranger)
    site.clock.advance(timedelta(seconds=REFRESH_EVERY))
    assert not site.lets(host, old)


def test_a_broken_file_of_keys_leaves_those_that_were_known(site: Site) -> None:
    keys = site.worker()
    issuer, host = keys.issuer(), site.host()
    site.published.write_bytes(b"-----BEGIN PUBLIC KEY-----\nbroken\n-----END PUBLIC KEY-----\n")
    site.clock.advance(timedelta(seconds=30))
    assert site.lets(host, site.header(issuer))


def test_no_request_fails_while_the_key_changes_three_times(site: Site) -> None:
    """Two workers that sign, four hosts that check all the while; only the clock of the keys runs."""
    workers = [site.worker(), site.worker()]
    issuers = [each.issuer() for each in workers]
    over, counts, now = threading.Event(), [0] * 4, site.clock.now()
    failed: list[str] = []

    def ask(place: int) -> None:
        host = site.host()
        while not over.is_set() and not failed:
            header = issuers[place % 2].issue(WHO, audience="tax", method="GET", path="/", at=now)
            try:
                host.verify(header, method="GET", path="/", at=now)
            except IdentityRefused:
                failed.append(header)
            counts[place] += 1

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    seen = set()
    for _ in range(3):
        workers[0].begin(actor="role:app", at_once=False)
        for _ in range(4):
            for worker, issuer in zip(workers, issuers, strict=True):
                worker.look(issuer)
                seen.add(worker.standing()["signing"][0])
                # Everybody asks between any two steps.
                before = list(counts)
                while not failed and any(one - other < 3 for one, other in zip(counts, before, strict=True)):
                    over.wait(0.001)
            site.clock.advance(OVERLAP)
    over.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(seen) == 4


class Death(BaseException):
    """kill -9: nothing after it runs."""


class Mortal:
    """Every write to the folder and every record is a place to die, before it and after it."""

    def __init__(self, site: Site, *, place: int) -> None:
        self._left = place
        self._write, self._record = identity_keys._write, site.recorder.record

    @property
    def died(self) -> bool:
        return self._left < 0

    def write(self, path: Path, content: bytes) -> None:
        self._step()
        self._write(path, content)
        self._step()

    def record(self, event: Event, **more: object) -> object:
        self._step()
        receipt = self._record(event, **more)  # type: ignore[arg-type]  # passed on
        self._step()
        return receipt

    def _step(self) -> None:
        self._left -= 1
        if self._left == -1:
            raise Death


def _killed(site: Site, monkeypatch: pytest.MonkeyPatch, *, place: int) -> bool:
    """Change the key and die at that place; whether there was one."""
    keys = site.worker()
    issuer = keys.issuer()
    mortal = Mortal(site, place=place)
    with monkeypatch.context() as patched, suppress(Death):
        patched.setattr(identity_keys, "_write", mortal.write)
        patched.setattr(site.recorder, "record", mortal.record)
        keys.begin(actor="role:app", at_once=False)
        for _ in range(4):
            keys.look(issuer)
            site.clock.advance(OVERLAP)
    return mortal.died


def test_killed_between_any_two_steps_it_goes_on_and_nobody_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends, place, died = set(), 0, True
    while died:
        (tmp_path / f"s{place}").mkdir()
        site = Site(tmp_path / f"s{place}")
        site.worker().issuer()
        host = site.host()
        died = _killed(site, monkeypatch, place=place)
        # Another process, a moment later.
        again = site.worker()
        issuer = again.issuer()
        for _ in range(8):
            assert site.lets(host, site.header(issuer)), place
            again.look(issuer)
            site.clock.advance(OVERLAP)
        changes = {event.key: event for event in site.recorder.events if event.type.endswith("rotated")}.values()
        begun = {event.object for event in changes if event.outcome is Outcome.INTENDED}
        # What was intended has its outcome, and what has an outcome was intended.
        assert begun == {event.object for event in changes if event.outcome is Outcome.SUCCESS}, place
        ring = json.loads((site.folder / "identity" / "ring.json").read_bytes())
        assert (ring["fresh"], ring["owed"], ring["retained"]) == (None, None, []), place
        assert again.standing()["signing"] == sorted(begun) or not begun
        ends.add(len(begun))
        place += 1
    assert ends == {0, 1}
    assert place > 10
