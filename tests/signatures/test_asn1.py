# SPDX-License-Identifier: Apache-2.0
"""A length whose last byte is 0x80 is a number like any other, and what was read is given back as it was."""

import pytest
from asn1crypto import cms, core

from signatures.proofs.asn1 import definite
from tests.signatures import made
from tests.signatures.pki import Leaf


class _Pair(core.Sequence):  # type: ignore[misc]  # asn1crypto ships no types
    _fields = [("flag", core.Boolean), ("filling", core.OctetString)]  # noqa: RUF012 - asn1crypto's own way


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("3005", True), ("308180", True), ("30820180", True), ("3082018030820080", True), ("a082018430820180", True),
        ("3080", False), ("a0803080", False), ("a08030820180", False), ("bf3080", False), ("bf308180", True),
        ("bf84308180", True),
    ],
)  # fmt: skip
def test_a_length_is_read_as_it_is_written(header: str, found: bool) -> None:  # noqa: FBT001 - a table's column
    assert definite(bytes.fromhex(header)) is found


def test_what_was_read_is_given_back_untouched(leaf: Leaf, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(6000):
        document = made.cades(b"x" * (256 + size), [leaf])
        if document[3] == 0x80:
            break
    else:
        raise AssertionError("no length ends so")

    def encode(*_: object, **__: object) -> None:
        raise AssertionError("encoded again")

    for kind in (core.Sequence, core.SequenceOf):
        monkeypatch.setattr(kind, "_set_contents", encode)
    read = cms.ContentInfo.load(document)
    assert read["content"]["signer_infos"][0]["signature"].native
    assert read.dump() == document
    assert read.dump() == document


def test_other_forms_than_the_one_keep_their_bytes() -> None:
    # True by another byte than DER's; every digest is over this one.
    inside = b"\x01\x01\x01\x04\x82\x01\x79" + b"." * 0x179
    document = b"\x30\x82\x01\x80" + inside
    assert _Pair.load(document).dump() == document


def test_an_indefinite_length_is_still_written_as_a_number() -> None:
    inside = b"\x01\x01\xff\x04\x03abc"
    assert _Pair.load(b"\x30\x80" + inside + b"\0\0").dump() == b"\x30\x08" + inside
