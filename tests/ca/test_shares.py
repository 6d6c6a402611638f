# SPDX-License-Identifier: Apache-2.0
"""Custodians' shares: enough of them are the secret, too few are nothing, and a mistyped one is noticed."""

import secrets
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ca.ceremony.shares import MOST, Share, _evaluate, _inverse, _times, combine, divide, read_share
from ca.errors import ShareRefused

SECRET = bytes(range(32))


def _divided(custodians: int = 5, needed: int = 3) -> list[Share]:
    return divide(SECRET, custodians=custodians, needed=needed, randomness=secrets.token_bytes)


def test_the_field_is_the_one_of_aes() -> None:
    # FIPS 197 section 4.2: {57} times {83} is {c1}; {53} and {ca} are inverse.
    assert _times(0x57, 0x83) == 0xC1
    assert _inverse(0x53) == 0xCA
    assert all(_times(each, _inverse(each)) == 1 for each in range(1, 256))


def test_any_three_of_five_have_the_secret_and_two_have_not() -> None:
    shares = _divided()
    for three in combinations(shares, 3):
        assert combine(three) == SECRET
    assert combine(shares) == SECRET
    for two in combinations(shares, 2):
        with pytest.raises(ShareRefused):
            combine(two)


@settings(deadline=None)
@given(secret=st.binary(min_size=1, max_size=40), custodians=st.integers(1, 12), data=st.data())
def test_as_many_as_needed_have_it_whoever_comes(secret: bytes, custodians: int, data: st.DataObject) -> None:
    needed = data.draw(st.integers(1, custodians))
    shares = divide(secret, custodians=custodians, needed=needed, randomness=secrets.token_bytes)
    come = data.draw(st.permutations(shares))[:needed]
    assert combine([read_share(str(each)) for each in come]) == secret


def test_two_shares_of_three_fit_every_secret_alike() -> None:
    # One byte, three needed: whatever two custodians hold, each secret is explained by exactly one polynomial.
    one, two = 0x2A, 0x17
    for secret in range(0, 256, 5):
        explaining = 0
        for first in range(256):
            second = one ^ secret ^ first
            explaining += _evaluate([bytes([secret]), bytes([first]), bytes([second])], 2) == bytes([two])
        assert explaining == 1


def test_a_mistyped_share_is_noticed() -> None:
    text = str(_divided()[0])
    assert read_share(text.lower().replace("-", " ")) == read_share(text)
    for at in range(len(text)):
        if text[at] != "-":
            other = "A" if text[at] != "A" else "B"
            with pytest.raises(ShareRefused):
                read_share(text[:at] + other + text[at + 1 :])
    for nonsense in ("", "-", "王", "AAAA", "A" * 400, text + "A"):
        with pytest.raises(ShareRefused):
            read_share(nonsense)


def test_shares_of_different_secrets_or_divisions_are_not_mixed() -> None:
    own, again = _divided(), _divided()
    other = divide(bytes(32), custodians=5, needed=3, randomness=secrets.token_bytes)
    for mixed in ([*own[:2], other[2]], [*own[:2], own[1]], [*own[:2], again[4]], []):
        with pytest.raises(ShareRefused):
            combine(mixed)


@pytest.mark.parametrize(("custodians", "needed"), [(5, 0), (2, 3), (MOST + 1, 3), (0, 0)])
def test_a_division_that_cannot_be_is_refused(custodians: int, needed: int) -> None:
    with pytest.raises(ValueError, match="custodians"):
        _divided(custodians, needed)
