# SPDX-License-Identifier: Apache-2.0
"""Helpers say of a draft what the authority would say itself; one that dies costs nothing but time."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from ca.press import Press
from ca.press.line import asked, read_asked, read_told, told
from ca.service import CertificateAuthority
from ca.x509.lint import findings

from .world import ask, loaded


@pytest.fixture
def press() -> Iterator[Press]:
    made = Press(1)
    yield made
    made.close()


def _started(press: Press) -> None:
    while not press.helpers[0].ready():
        time.sleep(0.01)


def test_a_helper_says_the_same_and_its_death_is_survived(press: Press, authority: CertificateAuthority) -> None:
    good = loaded(authority.issue(ask())).public_bytes(Encoding.DER)
    drafts = [good, b"nonsense", good[:-40]]
    here = [findings(each) for each in drafts]
    assert here[1]
    # While it starts, whoever asks lints.
    assert press.findings(drafts) == here
    _started(press)
    first = press.helpers[0].process
    assert press.findings(drafts) == here
    assert press.findings([]) == []
    os.kill(first, signal.SIGKILL)
    assert press.findings(drafts) == here
    assert press.helpers[0].process != first
    # A busy one is not waited for.
    held = press._crew._free.get()
    assert press.findings(drafts) == here
    press._crew._free.put(held)


def test_what_goes_over_the_line_comes_out_as_it_went_in() -> None:
    assert read_asked(asked([b"", b"a", b"\0" * 300])) == [b"", b"a", b"\0" * 300]
    assert read_told(told([[], [("code", "text 密")]]), 2) == [[], [("code", "text 密")]]
    with pytest.raises(ValueError, match="other drafts"):
        read_told(told([[]]), 2)


def test_without_helpers_whoever_asks_lints() -> None:
    press = Press()
    assert press.findings([b"nonsense"]) == [findings(b"nonsense")]
    press.close()
