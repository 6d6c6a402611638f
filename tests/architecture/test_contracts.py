# SPDX-License-Identifier: Apache-2.0
"""Each import contract catches an offence: each forbidden import added to a copy of the tree must be named by it."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
NAMES = {each["id"]: each["name"] for each in _CONTRACTS}
PACKAGES = ("app", "audit", "ca", "core", "directory", "gateway", "policies", "portals", "signatures", "sso")

# Contract, file (made when it is not there), what is written at its end.
OFFENCES = [
    ("order", "core/errors.py", "import audit.models"),
    ("order", "audit/models.py", "import ca.models"),
    ("order", "policies/models.py", "import directory.models"),
    ("order", "sso/models.py", "import signatures.models"),
    ("order", "ca/models.py", "import sso.models"),
    ("order", "gateway/web/words.py", "import app.context"),
    ("portals", "portals/__init__.py", "import gateway.models"),
    ("checker", "ca/checker/reading.py", "import ca.x509.lint"),
    ("checker", "ca/checker/store.py", "import ca.store"),
    ("flask", "audit/models.py", "import flask"),
    ("flask", "core/errors.py", "import werkzeug"),
    ("flask", "sso/service/login.py", "import flask"),
    ("database", "ca/models.py", "import sqlalchemy"),
    ("database", "sso/web/__init__.py", "import sqlalchemy"),
    ("database", "app/context.py", "import alembic"),
    ("ldap", "sso/service/login.py", "import ldap"),
    ("ldap", "directory/service/reading.py", "import ldap"),
    ("crafts", "ca/verifier/presented.py", "import pkilint"),
    ("crafts", "gateway/service/decision.py", "import cedarpy"),
    ("crafts", "signatures/sandbox/pool.py", "import pyhanko"),
    ("crafts", "ca/service/authority.py", "import click"),
    ("workshops", "audit/merkle/tiles.py", "import os"),
    ("workshops", "ca/x509/build.py", "import subprocess"),
    ("workshops", "directory/slapd/schema.py", "import shutil"),
    ("workshops", "gateway/tokens/jwt.py", "import urllib3"),
    ("workshops", "policies/engine/lint.py", "import socket"),
    ("workshops", "signatures/models.py", "import tempfile"),
    ("workshops", "sso/oauth/rfc9068/__init__.py", "import core.db"),
    ("rooms-app", "app/files.py", "import app.birth"),
    ("rooms-audit", "audit/merkle/tiles.py", "import audit.store"),
    ("rooms-audit", "audit/newroom.py", "pass"),
    ("rooms-ca", "ca/service/policy.py", "import ca.web"),
    ("rooms-ca", "ca/x509/build.py", "import ca.signer"),
    ("rooms-core", "core/config.py", "import core.site"),
    ("rooms-directory", "directory/slapd/schema.py", "import directory.store"),
    ("rooms-gateway", "gateway/request/target.py", "import gateway.tokens"),
    ("rooms-gateway", "gateway/errors.py", "import gateway.models"),
    ("rooms-policies", "policies/config.py", "import policies.bundle"),
    ("rooms-portals", "portals/tax/content.py", "import portals.social"),
    ("rooms-signatures", "signatures/pades/cms.py", "import signatures.service"),
    ("rooms-sso", "sso/oauth/openid/hints.py", "import sso.store"),
    ("rooms-sso", "sso/ldap/__init__.py", "pass"),
    ("face-audit", "sso/service/login.py", "import audit.writer"),
    ("face-audit", "sso/service/login.py", "import audit.client.channel"),
    ("face-audit", "ca/service/notes.py", "import audit.wire"),
    ("face-ca", "gateway/service/decision.py", "import ca.signer.keys"),
    ("signer", "ca/web/desk.py", "import ca.signer"),
    ("signer", "ca/web/public.py", "from ca.signer.stamping import StampSigner"),
    ("signer", "app/wiring/ca.py", "import ca.signer.keys"),
    ("face-core", "sso/web/login.py", "import core.web.headers"),
    ("face-core", "ca/store/tables.py", "import core.db.outbox"),
    ("face-directory", "ca/service/subjects.py", "import directory.ldap"),
    ("face-gateway", "portals/base/oidc.py", "import gateway.tokens"),
    ("face-policies", "gateway/service/decision.py", "import policies.engine"),
    ("face-portals", "core/web/health.py", "import portals"),
    ("face-signatures", "gateway/service/decision.py", "import signatures.pades"),
    ("face-sso", "gateway/service/login.py", "import sso.store.sessions"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def _lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    surroundings = {"PATH": "/usr/bin", "PYTHONPATH": str(tree), "COLUMNS": "300"}
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, env=surroundings)


@pytest.fixture(scope="module")
def told(tree: Path) -> Iterator[dict[str, str]]:
    """What the linter says of each broken contract, by its name, when every offence is committed at once.

    One look at the tree costs as much as a hundred offences; that none hides behind another is for the test to see.
    """
    kept = {file: _content(tree / file) for _, file, _ in OFFENCES}
    for _, file, offence in OFFENCES:
        (tree / file).parent.mkdir(exist_ok=True)
        (tree / file).write_text(f"{_content(tree / file) or ''}\n{offence}\n", "utf-8")
    said = _lint(tree).stdout.partition("Broken contracts\n")[2]
    # Each is headed by its name, underlined.
    parts = re.split(r"^(.+)\n-{5,}$", said, flags=re.MULTILINE)
    yield dict(zip(parts[1::2], parts[2::2], strict=True))
    for file, original in kept.items():
        if original is None:
            (tree / file).unlink()
        else:
            (tree / file).write_text(original, "utf-8")


def _content(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    done = _lint(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("contract", "file", "offence"), OFFENCES)
def test_a_contract_catches_its_offence(
    tree: Path, told: dict[str, str], contract: str, file: str, offence: str
) -> None:
    said = told[NAMES[contract]]
    if offence == "pass":
        # A room that was given no place.
        assert f"\n- {_module(file)}\n" in said
        return
    ways = re.findall(rf"^-\s+{re.escape(_link(tree, file, offence))}\n((?:\s+\S+ -> .*\n)*)", said, re.MULTILINE)
    others = [_link(tree, *other) for _, *other in OFFENCES if other[1] != "pass"]
    # By its very line, and by no way that leads on over another offence.
    assert any(not any(other in way for other in others) for way in ways), said


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _link(tree: Path, file: str, offence: str) -> str:
    """An offence as the linter names it."""
    line = (tree / file).read_text("utf-8").splitlines().index(offence) + 1
    return f"{_module(file)} -> {offence.split()[1]} (l.{line})"


def test_every_contract_is_proved_to_bite() -> None:
    assert sorted(NAMES) == sorted({contract for contract, _, _ in OFFENCES})
