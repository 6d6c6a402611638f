# SPDX-License-Identifier: Apache-2.0
"""How our witnesses stand, as the log's process tells it to the console; nothing is decided by it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

STATUS = "witnesses.json"
"""File of the status, among the log's private ones."""


class State(StrEnum):
    """What became of the last question to one witness."""

    # It cosigned.
    COSIGNED = "cosigned"
    # It did not answer, or not as a witness does.
    SILENT = "silent"
    # 404: it has not been told of this log.
    UNKNOWN = "unknown"
    # 403: it knows another key for this log.
    NOT_TRUSTED = "not_trusted"
    # 409: it has cosigned a larger log than there is here, so entries were lost here, or somebody else has the key.
    AHEAD = "ahead"
    # 422: it does not find that this log continues what it cosigned.
    INCONSISTENT = "inconsistent"
    # Another status.
    REFUSED = "refused"
    # What it sent is no cosignature of its key.
    FORGED = "forged"
    # The policy gives no address.
    NO_ADDRESS = "no_address"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One witness of the policy."""

    name: str
    state: State
    # Size and time of its last cosignature; 0 and None if there is none since the start.
    size: int = 0
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class WitnessStatus:
    """All of them, after one round."""

    # Whether the last checkpoint that was shown to them got enough cosignatures, and since when it has been so.
    met: bool
    since: datetime
    # When they were asked last, or found to have cosigned everything.
    at: datetime
    # Size of the checkpoint that was shown last, and of the largest that was cosigned by enough.
    asked: int
    witnessed: int
    witnesses: tuple[Standing, ...]

    @classmethod
    def unknown(cls) -> Self:
        """Before anybody was asked."""
        never = datetime.fromtimestamp(0, UTC)
        return cls(met=False, since=never, at=never, asked=0, witnessed=0, witnesses=())

    def encode(self) -> bytes:
        """As a file."""
        return json.dumps(
            {
                "met": self.met,
                "since": _seconds(self.since),
                "round": _seconds(self.at),
                "asked": self.asked,
                "witnessed": self.witnessed,
                "witnesses": [
                    {"name": each.name, "state": each.state.value, "size": each.size, "at": _seconds(each.at)}
                    for each in self.witnesses
                ],
            }
        ).encode()

    @classmethod
    def decode(cls, raw: bytes) -> Self | None:
        """From a file; None if it cannot be read, which is no worse than having none."""
        try:
            said: dict[str, Any] = json.loads(raw)
            return cls(
                met=said["met"] is True,
                since=datetime.fromtimestamp(said["since"], UTC),
                at=datetime.fromtimestamp(said["round"], UTC),
                asked=int(said["asked"]),
                witnessed=int(said["witnessed"]),
                witnesses=tuple(
                    Standing(
                        name=str(each["name"]),
                        state=State(each["state"]),
                        size=int(each["size"]),
                        at=None if each["at"] is None else datetime.fromtimestamp(each["at"], UTC),
                    )
                    for each in said["witnesses"]
                ),
            )
        except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
            return None


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
