# SPDX-License-Identifier: Apache-2.0
"""Who did what to which target, seen by whom."""

import pytest

from audit import Change, deed
from tests.fakes.log_site import event


@pytest.mark.parametrize(
    ("fields", "initiator", "target", "observer"),
    [
        ({"object": "tax"}, "3b0e", "tax", "sso"),
        ({"type": "sso.factor.removed"}, "3b0e", "3b0e", "sso"),
        ({"type": "sso.session.ended"}, "3b0e", "", "sso"),
        ({"type": "sso.session.ended", "actor": "77c9"}, "77c9", "3b0e", "sso"),
        # The operation that ties an intent to its outcome is nothing that anything is done to.
        ({"type": "directory.role.granted", "source": "directory", "actor": "77c9", "object": "op"}, "77c9", "3b0e",
         "directory"),
        ({"type": "directory.device.disabled", "source": "directory", "actor": "77c9", "object": "op"}, "77c9", "3b0e",
         "directory"),
        ({"type": "ca.certificate.revoked", "source": "ca", "actor": "role:ca", "object": "1f"}, "role:ca", "1f", "ca"),
        ({"type": "log.created", "source": "audit", "subject": "", "object": "city/log"}, "", "city/log", "audit"),
    ],
)  # fmt: skip
def test_the_initiator_is_not_the_observer(fields: dict[str, str], initiator: str, target: str, observer: str) -> None:
    given = {"sealed": {}, **fields}
    said = deed(event(None, **given))
    assert (said.initiator, said.target, said.observer) == (initiator, target, observer)
    assert (said.initiator_name, said.target_name, said.changes) == ("", "", [])


def test_names_are_snapshots_from_the_opened_part_and_nobody_elses() -> None:
    visited = event(object="tax")
    opened = {"name": "Li Lei", "name_zh": "李雷", "object_name": "Tax portal"}
    assert (deed(visited, opened).initiator_name, deed(visited, opened).target_name) == ("李雷", "Tax portal")
    acted_on = event(type="sso.session.ended", actor="77c9", sealed={})
    # The subject's name is never shown as that of whoever acted.
    assert (deed(acted_on, opened).initiator_name, deed(acted_on, opened).target_name) == ("", "李雷")
    assert deed(acted_on, {"actor_name": "Officer Han"}).initiator_name == "Officer Han"


def test_changes_have_a_before_and_an_after() -> None:
    opened = {"before.mail": "a", "after.mail": "b", "after.title": "judge", "before.phone": "1", "name": "x"}
    assert deed(event(), opened).changes == [
        Change(field="mail", before="a", after="b"),
        Change(field="phone", before="1", after=None),
        Change(field="title", before=None, after="judge"),
    ]
