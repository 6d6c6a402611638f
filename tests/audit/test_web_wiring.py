# SPDX-License-Identifier: Apache-2.0
"""The audit role as it is wired on a machine: what it serves while its log runs, and while it does not."""

import json
import time
from collections.abc import Iterator

import pytest

from core.config import ConfigurationError
from tests.fakes.audit_role import AuditRole


@pytest.fixture
def role() -> Iterator[AuditRole]:
    made = AuditRole()
    try:
        yield made
    finally:
        made.remove()


def test_an_officer_reads_the_real_record_and_only_while_it_can_be_kept(role: AuditRole) -> None:
    # Before the log runs, public facts are served and nothing else.
    assert role.client.get("/readyz").status_code == 200
    assert role.client.get("/checkpoint").status_code == 200
    assert role.get("/search").status_code == 503

    role.start_log()
    assert role.get("/search?type=audit.searched").status_code == 200
    entry = role.get("/entries/0")
    assert entry.status_code == 200
    assert "Log created" in entry.text
    assert "Proven" in entry.text
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = role.peer("/api/v1/entries?type=audit.opened", "app")
        found = json.loads(answer.text)["entries"]
        if found:
            break
        time.sleep(0.1)
    assert [(e["object"], e["actor"][:8]) for e in found] == [("0", "77c9a8b0")]
    assert role.peer("/api/v1/subjects/77c9a8b0-1d7e-4b5f-9e0e-2f8f5c1d7003/entries", "sso").status_code == 200

    role.stop_log()
    assert role.get("/search").status_code == 503
    assert role.peer("/api/v1/entries", "app").status_code == 503
    role.start_log()
    assert role.get("/search").status_code == 200


@pytest.mark.parametrize(
    ("setting", "content", "why"),
    [
        ("witness_for", "log rubbish\nquorum none\n", "line 1: the key cannot be read"),
        ("witness_for", None, "No such file"),
        ("witness_policy", "quorum none\n", "a quorum of none witnesses nothing"),
        ("witness_policy", "witness w KEY\nquorum w\n", "'' is no address of a witness"),
        ("witness_policy", "witness w KEY file:///etc/passwd\nquorum w\n", "is no address of a witness"),
    ],
)
def test_a_policy_that_cannot_be_used_stops_the_start(
    role: AuditRole, setting: str, content: str | None, why: str
) -> None:
    key = (role.context.site.public / "witness.vkey").read_text("utf-8").strip()
    if content is not None:
        (role.folder / "policy.txt").write_text(content.replace("KEY", key), "utf-8")
    with pytest.raises(ConfigurationError, match=why) as refused:
        role.begin(f'{setting} = "policy.txt"\n')
    assert refused.value.parameters["where"] == f"audit.{setting}"
