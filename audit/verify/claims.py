# SPDX-License-Identifier: Apache-2.0
"""What a check of the log found whole, and what it can say of that in plain sentences."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found whole."""

    origin: str
    size: int
    root: bytes
    tiles: int
    # 0 if only hashes were checked.
    bundles: int
    # Below this entry retention removed bundles, as the log's own signed note says; their hashes were checked.
    pruned: int = 0
    # The entry in which that is recorded; of a closed log, its place among the entries of all logs.
    recorded: int = 0
    # Whether that entry was read and says so.
    said: bool = False
    # Bundles below ``pruned`` that are here all the same, and were checked.
    spared: int = 0
    # Whether this log's entry 0 was read; together with the last entry of the log before it is what joins the two.
    begun: bool = True
    # Entries that announce a pruning, and below which place each.
    announced: tuple[tuple[int, int], ...] = ()


def claims(reports: Sequence[Report], *, hashes_only: bool = False) -> list[str]:
    """What a check has proven, and what it cannot prove because it is gone, in plain sentences."""
    said: list[str] = []
    for report in reports:
        said += _claims(report, hashes_only=hashes_only)
    if len(reports) > 1 and hashes_only:
        said.append("that each log continues the one before it was not checked: their entries say it")
    elif len(reports) > 1:
        for before, after in pairwise(reports):
            if not after.begun:
                said.append(
                    f"{after.origin} continues {before.origin} by the last entry of {before.origin} alone: entry 0 of "
                    f"{after.origin}, which named that end, is gone"
                )
        if all(report.begun for report in reports[1:]):
            said.append("each continues the one before it")
    return said


def _claims(report: Report, *, hashes_only: bool) -> list[str]:
    root = f"root {base64.b64encode(report.root).decode()}"
    whole = f"{report.origin}: {report.size} entries, {report.tiles} tiles"
    if hashes_only:
        return [f"{whole}, no entries (hashes only): all as signed", root]
    if not report.pruned:
        return [f"{whole}, {report.bundles} entry bundles: all as signed", root]
    gone = f"entries 0 to {report.pruned - 1} are pruned by policy, as the log's signed note says"
    why = ", which was read and says so" if report.said else "; that entry was not found to say so among what was read"
    proven = "of those the hashes are proven: none was changed, added or left out"
    unknown = "what they said is gone, and whether their sources left one out cannot be checked"
    said = [
        f"{whole}: every hash leads to the signed root",
        f"entries {report.pruned} to {report.size - 1}, {report.bundles - report.spared} entry bundles: all as signed",
        f"{gone}, recorded in entry {report.recorded}{why}",
        f"{proven}; {unknown}",
    ]
    if report.spared:
        said.append(f"{report.spared} bundles of those are here all the same: as signed")
    if not report.begun:
        said.append("entry 0 is among those: this log's own account of its birth is gone")
    return [*said, root]
