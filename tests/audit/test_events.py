# SPDX-License-Identifier: Apache-2.0
"""What the list of event types promises."""

import pytest

from audit.events import KINDS, Retention, Verb


@pytest.mark.parametrize(
    ("kind", "retention"),
    [
        ("gateway.decision", Retention.ACCESS),
        ("sso.login", Retention.ACCESS),
        ("audit.opened", Retention.ACCESS),
        ("directory.person.read", Retention.ACCESS),
        ("directory.role.granted", Retention.IDENTITY),
        ("sso.consent.withdrawn", Retention.IDENTITY),
        ("ca.certificate.issued", Retention.TRUST),
        ("log.created", Retention.TRUST),
        ("policy.released", Retention.TRUST),
        ("signature.made", Retention.TRUST),
    ],
)
def test_every_type_has_a_retention_class(kind: str, retention: Retention) -> None:
    assert KINDS[kind].retention is retention


def test_an_intent_and_its_outcome_are_kept_equally_long() -> None:
    for name, kind in KINDS.items():
        family = [one for other, one in KINDS.items() if other.rpartition(".")[0] == name.rpartition(".")[0]]
        if kind.verb in {Verb.INTENT, Verb.OUTCOME} and kind.retention is not Retention.ACCESS:
            halves = {one.retention for one in family if one.verb in {Verb.INTENT, Verb.OUTCOME}}
            assert halves == {kind.retention}, name
