# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from core.config import ConfigurationError, Document, secret


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    name: str
    wait: timedelta = timedelta(seconds=3)
    folder: Path = Path("x")
    colour: Colour = Colour.RED
    ratio: float = 0.5
    inner: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] | None = None
    on: bool = False

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("bad is no name")


def _read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "site.toml"
    path.write_text(text)
    document = Document.read(path)
    settings = document.section("thing", Settings)
    document.finish()
    return settings


def test_every_shape_is_decoded(tmp_path: Path) -> None:
    settings = _read(
        tmp_path,
        """
        [thing]
        name = "a"
        wait = 5
        folder = "sub"
        colour = "red"
        ratio = 1
        inner = { size = 1 }
        many = [{ size = 2 }]
        on = true
        [thing.named.x]
        size = 3
        """,
    )
    assert settings == Settings(
        name="a",
        wait=timedelta(seconds=5),
        folder=tmp_path / "sub",
        ratio=1.0,
        inner=Inner(size=1),
        many=(Inner(size=2),),
        named={"x": Inner(size=3)},
        on=True,
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[thing]\nname = 'a'\nnmae = 'b'", "thing.nmae"),
        ("[thing]", "thing.name"),
        ("[thing]\nname = 1", "thing.name"),
        ("[thing]\nname = 'a'\non = 1", "thing.on"),
        ("[thing]\nname = 'a'\nwait = true", "thing.wait"),
        ("[thing]\nname = 'a'\ncolour = 'blue'", "thing.colour"),
        ("[thing]\nname = 'a'\ninner = 3", "thing.inner"),
        ("[thing]\nname = 'a'\ninner = { size = 'x' }", "thing.inner.size"),
        ("[thing]\nname = 'a'\nmany = 3", "thing.many"),
        ("[thing]\nname = 'a'\nnamed = 3", "thing.named"),
        ("[thing]\nname = 'bad'", "thing"),
        ("thing = 3", "thing"),
        ("[thing]\nname = 'a'\n[stranger]", "stranger"),
        ("[thing", "site.toml"),
    ],
)
def test_a_mistake_is_refused_and_named(tmp_path: Path, text: str, where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _read(tmp_path, text)
    assert str(caught.value.parameters["where"]).endswith(where)


def test_a_secret_must_be_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x" * 32)
    path.chmod(0o600)
    assert secret(path) == b"x" * 32
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="group or others"):
        secret(path)
    path.chmod(0o600)
    path.write_bytes(b"x" * 31)
    with pytest.raises(ConfigurationError, match="exactly 32"):
        secret(path)
    with pytest.raises(ConfigurationError):
        secret(tmp_path / "absent")
