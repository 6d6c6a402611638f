# SPDX-License-Identifier: Apache-2.0
import pytest

from core.errors import Conflict, Invalid, Kind, NotFound, TallygateError, Unavailable, from_problem


class ShelfEmpty(Conflict):
    code = "shelf_empty"
    message = "The shelf %(shelf)s is empty."


def test_the_public_sentence_is_filled_in() -> None:
    assert ShelfEmpty(shelf="A").detail == "The shelf A is empty."
    assert str(ShelfEmpty(shelf="A")) == "shelf_empty: The shelf A is empty."


def test_every_kind_has_a_status_of_its_own() -> None:
    assert len({kind.status for kind in Kind}) == len(Kind)


def test_an_error_survives_the_wire() -> None:
    original = ShelfEmpty(shelf="A")
    problem = {"code": original.code, "message": original.message, "parameters": original.parameters}
    rebuilt = from_problem(409, problem)
    assert isinstance(rebuilt, Conflict)
    assert (rebuilt.code, rebuilt.detail) == ("shelf_empty", "The shelf A is empty.")


def test_rebuilding_one_error_leaves_its_class_alone() -> None:
    from_problem(404, {"code": "gone", "message": "Gone."})
    assert NotFound().code == "not_found"


@pytest.mark.parametrize(
    ("status", "problem"),
    [(409, None), (409, []), (409, {}), (409, {"code": 1, "message": "x"}), (418, {"code": "x", "message": "x"})],
)
def test_what_is_no_problem_document_of_ours_counts_as_unavailable(status: int, problem: object) -> None:
    assert isinstance(from_problem(status, problem), Unavailable)


def test_our_own_faults_say_nothing() -> None:
    assert TallygateError().kind is Kind.INTERNAL
    assert Invalid().detail == "The request is not well-formed."
