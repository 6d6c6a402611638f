# SPDX-License-Identifier: Apache-2.0
"""A pure workshop opens no file either: what needs no import of its own is found in the syntax tree."""

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
_TOUCHING = {
    "exists", "glob", "is_dir", "is_file", "iterdir", "mkdir", "open", "read_bytes", "read_text", "rename", "rglob",
    "rmdir", "stat", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip
# What reads once at start and is pure from then on, each with its reason.
EXCEPTIONS = {
    "ca/x509/profiles.py": "the profiles are data beside the code, read once at start",
    "gateway/proxy/script.py": "the script that HAProxy runs is a file beside the code",
    "core/identity.py": "the verifier is given the path of its pinned key",
    "signatures/formats/containers.py": "it opens members of an archive that lies in memory",
    "signatures/pades/anchors.py": "trust starts from files; what is done with them is pure",
    "signatures/verdict/words.py": "the command line has no web base to read the catalogue for it",
}


def _pure() -> list[Path]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    modules = next(contract["source_modules"] for contract in contracts if contract["id"] == "workshops")
    found: list[Path] = []
    for module in modules:
        pattern = module.replace(".", "/")
        found += [file for file in ROOT.glob(f"{pattern}.py") if "tests" not in file.parts]
        found += [file for folder in ROOT.glob(pattern) for file in folder.rglob("*.py")]
    return found


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _touches(file: Path) -> bool:
    calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return any(_called(node) in _TOUCHING for node in calls)


def test_pure_workshops_touch_no_file() -> None:
    files = _pure()
    assert len(files) > 80
    assert {str(file.relative_to(ROOT)) for file in files if _touches(file)} == set(EXCEPTIONS)
