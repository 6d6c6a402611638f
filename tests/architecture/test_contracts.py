# SPDX-License-Identifier: Apache-2.0
"""Each import contract catches an offence: one forbidden import added to a copy of the tree must break it."""

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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


# The linter's own command in one process, which keeps what it read of files that are still the same: starting it and
# reading a thousand files anew is nearly all that an offence would cost.
LINTER = """
import contextlib, io, json, sys
from importlinter.cli import lint_imports
for line in sys.stdin:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = lint_imports(limit_to_contracts=tuple(json.loads(line)), cache_dir=sys.argv[1])
    print(json.dumps([status == 0, said.getvalue()]), flush=True)
"""


class Linter:
    """Asks one running linter about a tree."""

    def __init__(self, tree: Path, running: subprocess.Popen[str]) -> None:
        self.tree = tree
        self._running = running

    def keeps(self, *contracts: str) -> tuple[bool, str]:
        """Whether the tree keeps these contracts, or all, and what is said of it."""
        assert self._running.stdin
        assert self._running.stdout
        self._running.stdin.write(json.dumps(contracts) + "\n")
        self._running.stdin.flush()
        kept, said = json.loads(self._running.stdout.readline())
        return kept, said


@pytest.fixture(scope="module")
def linter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Linter]:
    copy = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    with subprocess.Popen(
        [sys.executable, "-c", LINTER, str(tmp_path_factory.mktemp("read"))],
        cwd=copy,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin", "PYTHONPATH": str(copy), "COLUMNS": "200"},
    ) as running:
        yield Linter(copy, running)


def test_the_tree_keeps_every_contract(linter: Linter) -> None:
    kept, said = linter.keeps()
    assert kept, said


@pytest.mark.parametrize(("contract", "file", "offence"), OFFENCES)
def test_a_contract_catches_its_offence(linter: Linter, contract: str, file: str, offence: str) -> None:
    path = linter.tree / file
    original = path.read_text("utf-8") if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{original or ''}\n{offence}\n", "utf-8")
    try:
        kept, said = linter.keeps(contract)
    finally:
        if original is None:
            path.unlink()
        else:
            path.write_text(original, "utf-8")
    assert not kept, said
    assert "BROKEN" in said


def test_every_contract_is_proved_to_bite() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert sorted(contract["id"] for contract in contracts) == sorted({contract for contract, _, _ in OFFENCES})
