# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong inside, the answer is a denial with its own code."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from policies import Code
from policies.service import PolicyEngine

from .conftest import Ask


def test_an_engine_without_policies_denies(tmp_path: Path, key: Ed25519PrivateKey, ask: Ask) -> None:
    engine = PolicyEngine(folder=tmp_path, key=key.public_key())
    decision = engine.decide(ask())
    assert not decision.allowed
    assert decision.code == Code.ERROR
    assert engine.version == ""
    assert engine.zones == frozenset()


@pytest.mark.parametrize(
    "change", [{"assurance": "9"}, {"assurance": None}, {"from_zone": ["external"]}, {"roles": 3}, {"at": "now"}]
)
def test_a_question_nobody_should_ask_is_denied_as_an_error(
    bundle: Path, key: Ed25519PrivateKey, ask: Ask, change: dict[str, object]
) -> None:
    engine = PolicyEngine.load(bundle, key.public_key())
    decision = engine.decide(ask(**change))
    assert not decision.allowed
    assert decision.code == Code.ERROR
    assert decision.version == engine.version
    assert engine.zones == {"internet", "external", "internal", "management"}
