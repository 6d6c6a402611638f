# SPDX-License-Identifier: Apache-2.0
"""A shortcut answers what the library's own function answers: the same value, the same place, the same refusal."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import cms, x509
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.sign import general
from pyhanko.sign.validation import generic_cms

from signatures.pades import shortcuts
from tests.signatures import documents
from tests.signatures.pki import City, Leaf

_SLOWLY = generic.read_hex_string_from_stream
_COMPARE: Callable[[Any, Any], bool] = x509.Name.__eq__
# The library annotates only part of itself.
_THEIRS: Any = generic_cms
_PREPARE: Callable[[Any, str], str] = x509.NameTypeAndValue._ldap_string_prep


def read(function: Callable[[Any], Any], content: bytes) -> tuple[str, object, int]:
    stream = io.BytesIO(content)
    stream.seek(2)
    try:
        found = function(stream)
    except Exception as error:  # noqa: BLE001 - whatever the library raises, both must
        return type(error).__name__, str(error), 0
    return type(found).__name__, found, stream.tell()


@given(st.text("0123456789abcdefABCDEF<> \n\r\t\0%x", max_size=60).map(str.encode))
def test_any_hexadecimal_string_is_read_alike(content: bytes) -> None:
    whole = b"[ <" + content + b"> >>"
    assert read(shortcuts.read_hex_string, whole) == read(_SLOWLY, whole)


@pytest.mark.parametrize("size", [0, 1, 2, 4093, 4094, 4095, 4096, 4097, 9000, 20000])
def test_long_strings_are_read_alike_wherever_a_chunk_ends(size: int) -> None:
    for content in (b"a" * size, b"FE" * size, b"fEfF" + b"00" * size, b"7" * size + b"\n", b"7" * size + b"g"):
        for end in (b">", b"> /X", b""):
            whole = b"[ <" + content + end
            assert read(shortcuts.read_hex_string, whole) == read(_SLOWLY, whole)


@given(st.text(max_size=30))
def test_any_part_of_a_name_is_prepared_alike(text: str) -> None:
    def ask(prepare: Callable[[], str]) -> str:
        try:
            return prepare()
        except ValueError as error:
            return f"refused: {error}"

    expected = ask(lambda: _PREPARE(None, text))
    assert [ask(lambda: shortcuts.prepared(text)) for _ in range(2)] == [expected] * 2


_PARTS = st.fixed_dictionaries(
    {"country_name": st.just("CN")}, optional={"common_name": st.sampled_from(["A", "a", "A ", "B", "江城"]),
                                               "organization_name": st.sampled_from(["A", "a  b", "A B", "C"])}
)  # fmt: skip


@given(_PARTS, _PARTS)
def test_any_two_names_are_compared_alike(first: dict[str, str], second: dict[str, str]) -> None:
    one, other = x509.Name.build(first), x509.Name.build(second)
    # Also where it stands within another thing, and has a tag of its own.
    tagged = x509.GeneralName.load(x509.GeneralName(name="directory_name", value=other).dump()).chosen
    for _ in range(2):
        assert shortcuts.same_name(one, other) == shortcuts.same_name(tagged, one) == _COMPARE(one, other)
        assert shortcuts.same_name(other, tagged)
    assert not shortcuts.same_name(one, "CN")


@pytest.mark.parametrize("several", [False, True])
def test_the_certificates_of_a_signature_are_told_apart_alike(leaf: Leaf, sealed: bytes, *, several: bool) -> None:
    """The same ones, in the same order, and the same refusal where there is not one signer."""
    second = City().organisations.leaf("Chen Wei")
    document = documents.signed_by(documents.permit(), [leaf, second]) if several else sealed
    contents = next(iter(re.findall(rb"/Contents <([0-9a-fA-F]+)>", document)))

    def told(function: Callable[[Any], Any]) -> object:
        try:
            found = function(cms.ContentInfo.load(bytes.fromhex(contents.decode()))["content"])
        except general.CMSExtractionError as error:
            return str(error)
        return [each.dump() for each in (found.signer_cert, *found.other_certs, *found.attribute_certs)]

    assert told(shortcuts.certificates_of) == told(general.extract_certificate_info) == told(shortcuts.certificates_of)
    assert isinstance(told(shortcuts.certificates_of), str) is several


def test_this_process_reads_without_shortcuts() -> None:
    """Otherwise the tests that compare both would compare a function with itself."""
    assert generic.read_hex_string_from_stream is _SLOWLY
    assert _THEIRS.extract_certificate_info is general.extract_certificate_info
    assert _SLOWLY.__module__ == generic.__name__
