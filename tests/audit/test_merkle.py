# SPDX-License-Identifier: Apache-2.0
"""The tree: known answers of two independent implementations, and proofs of every shape."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import ProofRefused
from audit.merkle import (
    EMPTY_ROOT,
    Edge,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from audit.merkle.proofs import Node
from audit.merkle.tiles import bundle_path, is_tile_path, pack, tile_path, tiles, unpack, width_at

# The roots of RFC 6962's reference test data (certificate-transparency, merkletree_test) at sizes 1 and 8.
_RFC_INPUTS = [bytes.fromhex(x) for x in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
_RFC_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def tree(size: int) -> tuple[list[bytes], Node]:
    leaves = [leaf_hash(b"%d" % i) for i in range(size)]

    def node(level: int, index: int) -> bytes:
        return root_hash(leaves[index << level : (index + 1) << level])

    return leaves, node


@pytest.fixture(scope="module")
def seventy_thousand() -> tuple[Edge, dict[str, bytes]]:
    entries = [b'{"seq": %d, "actor": "u%d", "act": "login"}' % (i, i % 97) for i in range(70_000)]
    return Edge().extend(entries)


def test_known_root_of_seventy_thousand_entries(seventy_thousand: tuple[Edge, dict[str, bytes]]) -> None:
    edge, files = seventy_thousand
    assert base64.b64encode(edge.root()) == b"rVOlxxQqWDRLYQ1whiEw5Uu+CjMYP+TxcCsCAKfeT7Q="
    assert sum(1 for path in files if "entries" in path) == 274
    assert sum(1 for path in files if "entries" not in path) == 277


def test_widths_of_the_worked_example(seventy_thousand: tuple[Edge, dict[str, bytes]]) -> None:
    _, files = seventy_thousand
    found = list(tiles(70_000))
    assert len(found) == 277
    assert [width_at(0, 273, 70_000), width_at(1, 1, 70_000), width_at(2, 0, 70_000)] == [112, 17, 1]
    assert {tile_path(*tile) for tile in found} == {path for path in files if "entries" not in path}
    assert list(tiles(256)) == [(0, 0, 256), (1, 0, 1)]


@pytest.mark.parametrize("size", _RFC_ROOTS)
def test_roots_of_the_reference_data(size: int) -> None:
    assert root_hash([leaf_hash(entry) for entry in _RFC_INPUTS[:size]]).hex() == _RFC_ROOTS[size]
    assert Edge().extend(_RFC_INPUTS[:size])[0].root().hex() == _RFC_ROOTS[size]


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert Edge().root() == root_hash([]) == EMPTY_ROOT
    assert EMPTY_ROOT.hex().startswith("e3b0c442")


@pytest.mark.parametrize(
    ("index", "path"), [(5, "005"), (1000, "x001/000"), (1_234_067, "x001/x234/067"), (999, "999")]
)
def test_paths_have_groups_of_three(index: int, path: str) -> None:
    assert tile_path(0, index) == f"tile/0/{path}"
    assert tile_path(3, index, 7) == f"tile/3/{path}.p/7"
    assert bundle_path(index, 255) == f"tile/entries/{path}.p/255"
    assert is_tile_path(tile_path(63, index))


@pytest.mark.parametrize(
    "path",
    [
        "tile/00/000", "tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/../000",
        "tile/0/x001", "tile/entries/000\n", "/tile/0/000", "tile/0/000/", "tile/x/000",
        "tile/0/\u0660\u0660\u0660", "checkpoint",
    ],
)  # fmt: skip
def test_what_is_not_a_path_is_refused(path: str) -> None:
    assert not is_tile_path(path)


@given(st.lists(st.integers(0, 600), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_an_edge_grows_to_the_same_tree_in_any_batches(batches: list[int]) -> None:
    entries = [b"%d" % i for i in range(sum(batches))]
    edge, files = Edge(), {}
    position = 0
    for batch in batches:
        edge, more = edge.extend(entries[position : position + batch])
        files.update(more)
        position += batch
    whole, expected = Edge().extend(entries)
    assert edge == whole
    assert edge.root() == root_hash([leaf_hash(entry) for entry in entries])
    assert expected.items() <= files.items()


@given(st.integers(1, 700), st.data())
@settings(max_examples=80, deadline=None)
def test_every_inclusion_proof_holds_and_only_for_its_leaf(size: int, data: st.DataObject) -> None:
    leaves, node = tree(size)
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(node, index, size), root_hash(leaves)
    verify_inclusion(leaf=leaves[index], index=index, size=size, root=root, proof=proof)
    good: dict[str, Any] = {"leaf": leaves[index], "index": index, "size": size, "root": root, "proof": proof}
    wrongs: list[dict[str, Any]] = [
        {"leaf": leaf_hash(b"forged")},
        {"proof": [*proof, root]},
        {"proof": proof[:-1] if proof else [root]},
        {"root": EMPTY_ROOT},
        {"index": size},
        {"index": -1},
    ]
    for wrong in wrongs:
        with pytest.raises(ProofRefused):
            verify_inclusion(**good | wrong)
    if proof:
        flipped = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
        with pytest.raises(ProofRefused):
            verify_inclusion(leaf=leaves[index], index=index, size=size, root=root, proof=flipped)


@given(st.integers(0, 700), st.data())
@settings(max_examples=80, deadline=None)
def test_every_consistency_proof_holds_and_no_other_history_passes(new: int, data: st.DataObject) -> None:
    leaves, node = tree(new)
    old = data.draw(st.integers(0, new))
    old_root, new_root = root_hash(leaves[:old]), root_hash(leaves)
    proof = consistency_proof(node, old, new)
    verify_consistency(old=old, new=new, old_root=old_root, new_root=new_root, proof=proof)
    with pytest.raises(ProofRefused):
        verify_consistency(old=old, new=new, old_root=leaf_hash(b"x"), new_root=new_root, proof=proof)
    with pytest.raises(ProofRefused):
        verify_consistency(old=old, new=new, old_root=old_root, new_root=new_root, proof=[*proof, new_root])
    if proof:
        with pytest.raises(ProofRefused):
            verify_consistency(old=old, new=new, old_root=old_root, new_root=new_root, proof=proof[:-1])
        with pytest.raises(ProofRefused):
            verify_consistency(old=old, new=new, old_root=old_root, new_root=leaf_hash(b"x"), proof=proof)


def test_a_proof_outside_the_tree_is_refused() -> None:
    _, node = tree(4)
    with pytest.raises(ProofRefused):
        inclusion_proof(node, 4, 4)
    with pytest.raises(ProofRefused):
        consistency_proof(node, 5, 4)
    with pytest.raises(ProofRefused):
        verify_consistency(old=5, new=4, old_root=b"", new_root=b"", proof=[])


@given(st.lists(st.binary(max_size=300), max_size=40))
def test_a_bundle_unpacks_to_what_was_packed(entries: list[bytes]) -> None:
    assert unpack(pack(entries)) == entries


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x02a", b"\x00\x01a\x00"])
def test_a_cut_bundle_is_refused(bundle: bytes) -> None:
    with pytest.raises(ProofRefused):
        unpack(bundle)
