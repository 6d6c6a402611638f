# SPDX-License-Identifier: Apache-2.0
"""What is believed of a certificate while its authority is away: what it signed, for this one, and not long ago."""

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca import CertificateVerifier, PublishedStatus, StatusUnknown
from ca.models import Issued, Reason, Standing
from ca.service import CertificateAuthority
from ca.service.opening import answer_folder
from ca.store import ListFolder
from ca.x509.answers import PRESIGNED, Identifiers
from tests.fakes.people import KIOSK

from .world import World, ask, loaded

HALF_A_DAY = timedelta(hours=12)


class Left:
    """The folder beside the authority's socket, and the authority that filled it."""

    def __init__(self, world: World, authority: CertificateAuthority) -> None:
        self.world, self.authority = world, authority
        self.folder = answer_folder(world.site).parent
        self.status = PublishedStatus.load(world.site.public, folder=self.folder)

    def issue(self) -> Issued:
        return self.authority.issue(ask("device-client", subject=KIOSK.id))

    def answered(self, issued: Issued, *, hashed: str = PRESIGNED[0]) -> Path:
        issuer = x509.load_pem_x509_certificate((self.world.site.public / "issuers" / "devices.pem").read_bytes())
        question = Identifiers(issuer).question(int(issued.serial, 16), hashed)
        self.authority.ocsp("devices", question.request)
        return self.folder / "ocsp" / "devices" / base64.b64encode(question.request).decode()

    def listed(self, issuer: str = "devices") -> Path:
        ListFolder(self.folder / "crl").write(issuer, self.authority.crl(issuer).der)
        return self.folder / "crl" / f"{issuer}.crl"

    def says(self, issued: Issued, *, oldest: timedelta = HALF_A_DAY) -> Standing | None:
        try:
            return self.status.status(
                issued.serial, authority="devices", at=self.world.clock.now(), oldest=oldest
            ).standing
        except StatusUnknown:
            return None


@pytest.fixture
def left(world: World, authority: CertificateAuthority) -> Left:
    return Left(world, authority)


@pytest.mark.parametrize("way", ["answer-sha256", "answer-sha1", "list"])
def test_what_was_left_says_what_a_certificate_is_worth(left: Left, way: str) -> None:
    """Also of one that was revoked, by whichever of the two."""

    def leave(issued: Issued) -> None:
        if way == "list":
            left.listed()
        else:
            left.answered(issued, hashed=way.removeprefix("answer-"))

    good, gone = left.issue(), left.issue()
    assert left.says(good) is None, "nothing was left yet"
    left.authority.revoke(gone.serial, reason=Reason.KEY_COMPROMISE, actor="officer")
    for each, worth in ((good, Standing.GOOD), (gone, Standing.REVOKED)):
        leave(each)
        assert left.says(each) is worth


def test_what_is_old_says_nothing(left: Left) -> None:
    issued = left.issue()
    left.answered(issued)
    left.world.clock.advance(timedelta(hours=2))
    assert left.says(issued, oldest=timedelta(hours=1)) is None
    assert left.says(issued) is Standing.GOOD
    # Past its own end, whatever the settings allow.
    left.world.clock.advance(timedelta(hours=7))
    assert left.says(issued, oldest=timedelta(days=9)) is None
    left.listed()
    assert left.says(issued) is Standing.GOOD
    left.world.clock.advance(timedelta(hours=13))
    assert left.says(issued) is None
    assert left.says(issued, oldest=timedelta(days=1)) is Standing.GOOD
    left.world.clock.advance(timedelta(days=2))
    assert left.says(issued, oldest=timedelta(days=9)) is None


def test_what_comes_from_the_future_says_nothing(left: Left) -> None:
    issued = left.issue()
    left.answered(issued)
    left.listed()
    left.world.clock.advance(timedelta(hours=-1))
    assert left.says(issued) is None


@pytest.mark.parametrize("spoils", ["another's", "broken", "cut", "empty", "large"])
def test_an_answer_that_is_not_this_ones_says_nothing(left: Left, spoils: str) -> None:
    issued, other = left.issue(), left.issue()
    path = left.answered(issued)
    good = path.read_bytes()
    wrong = {
        # Signed by the right delegate, of another certificate: whoever can write files cannot say a word.
        "another's": left.answered(other).read_bytes(),
        "broken": good[:-200] + bytes([good[-200] ^ 1]) + good[-199:],
        "cut": good[:-9],
        "empty": b"",
        "large": good + b"\0" * 20_000,
    }
    path.write_bytes(wrong[spoils])
    assert left.says(issued) is None


@pytest.mark.parametrize("spoils", ["another-issuer", "broken", "delta", "shard"])
def test_a_list_that_is_not_the_issuers_whole_one_says_nothing(left: Left, spoils: str) -> None:
    issued = left.issue()
    path = left.listed()
    good = path.read_bytes()
    wrong: dict[str, Callable[[], bytes]] = {
        "another-issuer": lambda: left.authority.crl("people").der,
        "broken": lambda: good[:-9] + bytes([good[-9] ^ 1]) + good[-8:],
        "delta": lambda: left.authority.crl("devices", 1, delta=True).der,
        "shard": lambda: left.authority.crl("devices", 1).der,
    }
    path.unlink()
    path.write_bytes(wrong[spoils]())
    assert left.says(issued) is None


def test_the_generation_that_issued_is_the_one_that_is_asked(left: Left) -> None:
    """A list of another authority does not hold the serial, and that is no reason to call it good."""
    issued = left.issue()
    verified = CertificateVerifier.load(left.world.site.public).verify(
        loaded(issued).public_bytes(Encoding.PEM), purpose="device", at=left.world.clock.now()
    )
    assert verified.authority == "devices"
    left.listed("people")
    assert left.says(issued) is None
    with pytest.raises(StatusUnknown):
        left.status.status(issued.serial, authority="devices-9", at=left.world.clock.now(), oldest=HALF_A_DAY)
