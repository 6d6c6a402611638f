# SPDX-License-Identifier: Apache-2.0
"""What stands in a drawn seal is the organisation's name: read back from the signed page, character by character."""

from pathlib import Path

import pytest

from core.db import Database, migrate
from signatures.models import SealOrder
from signatures.pades import drawing
from signatures.sandbox import ReaderPool
from signatures.store import Store
from tests.fakes.clock import ManualClock
from tests.fakes.recorder import ListRecorder
from tests.signatures import documents
from tests.signatures.fakes import CLERK, TestAuthority, encode, sealing
from tests.signatures.pki import City, Leaf
from tests.signatures.reading import around, middle, read

NAME = "江城市税务局"


def test_the_seal_on_a_document_that_the_role_sealed_bears_the_name_of_the_directory(
    tmp_path: Path, city: City, readers: ReaderPool
) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/signatures.db")
    migrate(database, Path(__file__).parents[2] / "signatures" / "migrations")
    granting = sealing(
        store=Store(database, encode=encode),
        readers=readers,
        folder=tmp_path / "keys",
        authority=TestAuthority(city),
        recorder=ListRecorder(),
        clock=ManualClock(),
    )
    granting.establish("tax-bureau")
    order = SealOrder(
        document=documents.permit(), organisation="tax-bureau", actor=CLERK, caller="app", assurance=2, code=True
    )
    found = read(documents.write(tmp_path, "sealed.pdf", granting.seal(order)))
    database.close()
    assert (around(found), middle(found)) == (NAME, "电子印章")


@pytest.mark.parametrize("other", ["江城市税务居", "江城市务税局", "江城税务局", "城江市税务局", "江"])
def test_another_name_is_read_as_another_name(tmp_path: Path, leaf: Leaf, other: str) -> None:
    picture = drawing.seal(documents.outlines(), name_zh=other, name="Jiangcheng Tax Bureau")
    found = read(documents.write(tmp_path, "sealed.pdf", documents.sealed(documents.permit(), leaf, drawing=picture)))
    assert around(found) == other != NAME


def test_a_character_that_the_font_lacks_is_not_read_as_any(tmp_path: Path, leaf: Leaf) -> None:
    picture = drawing.seal(documents.outlines(), name_zh="江城市\U0010ffff务局", name="Jiangcheng Tax Bureau")
    found = read(documents.write(tmp_path, "sealed.pdf", documents.sealed(documents.permit(), leaf, drawing=picture)))
    assert around(found) == "江城市务局"
