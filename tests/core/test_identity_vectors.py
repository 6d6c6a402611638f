# SPDX-License-Identifier: Apache-2.0
"""What the manual tells others to do: its vectors, its few lines of Python and of JavaScript, and our own verifier."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright

from core.identity import IdentityRefused, IdentityVerifier
from core.jose import public_key

DOCS = Path(__file__).parents[2] / "docs"
VECTORS: dict[str, Any] = json.loads((DOCS / "identity-vectors.json").read_text("utf-8"))
KEYS = {"keys": VECTORS["keys"]}
CASES: list[dict[str, Any]] = VECTORS["cases"]


def _block(language: str) -> str:
    found = re.search(
        rf"^```{language}\n(.*?)^```", (DOCS / "identity.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    return found[1]


def test_our_own_verifier_agrees_with_the_vectors(tmp_path: Path) -> None:
    keys: list[Any] = [public_key({name: key[name] for name in ("kty", "crv", "x", "y")}) for key in KEYS["keys"]]
    path = tmp_path / "keys.pem"
    path.write_bytes(b"".join(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in keys))
    for case in CASES:
        verifier = IdentityVerifier.load(path, audience=case["host"])
        at = datetime.fromtimestamp(case["now"], UTC)
        try:
            verifier.verify(case["header"], method=case["method"], path=case["target"], at=at)
        except IdentityRefused:
            assert not case["valid"], case["says"]
        else:
            assert case["valid"], case["says"]


def test_the_manuals_python_agrees_with_the_vectors() -> None:
    names: dict[str, Any] = {}
    exec(_block("python"), names)  # noqa: S102 - the manual's own lines
    identity: Callable[..., Any] = names["identity"]
    for case in CASES:
        asked = {name: case[name] for name in ("host", "method", "target", "now")}
        if case["valid"]:
            assert identity(case["header"], KEYS, **asked)["zone"] == "external"
        else:
            with pytest.raises((jwt.InvalidTokenError, ValueError)):
                identity(case["header"], KEYS, **asked)


def test_the_manuals_javascript_agrees_with_the_vectors() -> None:
    """In the browser that is there anyway; Web Cryptography is the same elsewhere."""
    script = f"""async ({{ keys, cases }}) => {{
      {_block("javascript")}
      const answers = [];
      for (const one of cases) {{
        answers.push(await identity(one.header, keys, one).then((claims) => claims.zone === "external", () => false));
      }}
      return answers;
    }}"""
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"], timeout=300_000)
        page = browser.new_page()
        # Web Cryptography works in secure contexts only.
        page.route("https://host.localhost/", lambda route: route.fulfill(body="<p>", content_type="text/html"))
        page.goto("https://host.localhost/", timeout=300_000)
        answers = page.evaluate(script, {"keys": KEYS, "cases": CASES})
        browser.close()
    assert [(case["says"], case["valid"]) for case in CASES] == [
        (case["says"], answer) for case, answer in zip(CASES, answers, strict=True)
    ]
