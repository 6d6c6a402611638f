# SPDX-License-Identifier: Apache-2.0
"""What the gateway asks the feed for is what it acts on."""

import inspect
import re

from audit.events import KINDS
from gateway.service import News


def test_every_event_it_acts_on_is_asked_for() -> None:
    acted_on = set(re.findall(r'"((?:ca|directory|policy|sso)\.[a-z.]+)"', inspect.getsource(News._effects)))
    assert acted_on
    assert acted_on <= set(KINDS)
    assert all(kind.startswith(News.about) for kind in {*acted_on, "policy.released", "directory.role.withdrawn"})


def test_its_own_decisions_are_not_asked_for() -> None:
    assert not "gateway.decision".startswith(News.about)
    assert all(any(kind.startswith(each) for kind in KINDS) for each in News.about)
