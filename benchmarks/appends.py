# SPDX-License-Identifier: Apache-2.0
"""Audit appends: events with a sealed part over the log's socket, each waiting for its sync; alone and many at once."""

from audit import Event, Outcome, new_key
from core.clock import SystemClock

from .measure import Figure, repeat
from .place import Place

TOGETHER = 64
_SUBJECTS = 16


def measured(place: Place, *, threads: int, seconds: float) -> Figure:
    """Decisions as the gateway records them, from one process."""
    recorder, clock = place.context.recorder("gateway"), SystemClock()

    def act() -> None:
        key = new_key()
        recorder.record(
            Event(
                key=key,
                type="gateway.decision",
                outcome=Outcome.SUCCESS,
                at=clock.now(),
                source="gateway",
                subject=f"bench-{int(key, 16) % _SUBJECTS}",
                object="benchmark",
                session=key,
                zone="external",
                decision=key,
                policy="1",
                attributes={"method": "GET", "credential": "session", "policies": "permit-portal"},
                sealed={"name": "陈伟", "address": "127.0.0.1", "path": "/me"},
            )
        )

    return repeat(act, seconds=seconds, threads=threads)
