# SPDX-License-Identifier: Apache-2.0
"""Each import contract catches an offence: one forbidden import added to a copy of the tree must break it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "audit", "ca", "core", "directory", "gateway", "policies", "portals", "signatures", "sso")

OFFENCES = [
    ("order", "core/errors.py", "import audit.models"),
    ("order", "audit/models.py", "import ca.models"),
    ("order", "policies/models.py", "import directory.models"),
    ("order", "sso/models.py", "import signatures.models"),
    ("order", "ca/models.py", "import sso.models"),
    ("portals", "portals/__init__.py", "import gateway.models"),
    ("flask", "audit/models.py", "import flask"),
    ("flask", "core/errors.py", "import werkzeug"),
    ("database", "ca/models.py", "import sqlalchemy"),
    ("database", "sso/web/__init__.py", "import sqlalchemy"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def _lint(tree: Path, contract: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--contract", contract],
        cwd=tree,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin", "PYTHONPATH": str(tree), "COLUMNS": "200"},
    )


@pytest.mark.parametrize(("contract", "file", "offence"), OFFENCES)
def test_a_contract_catches_its_offence(tree: Path, contract: str, file: str, offence: str) -> None:
    path = tree / file
    original = path.read_text("utf-8")
    path.write_text(f"{original}\n{offence}\n", "utf-8")
    try:
        broken = _lint(tree, contract)
    finally:
        path.write_text(original, "utf-8")
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert "BROKEN" in broken.stdout


def test_every_contract_is_proved_to_bite(tree: Path) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == {contract for contract, _, _ in OFFENCES}
