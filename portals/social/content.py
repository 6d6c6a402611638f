# SPDX-License-Identifier: Apache-2.0
"""Contribution years, newest first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..base.seed import Seed

_SHOWN = 6
_MONTHS = 12


def contributions(subject: str, at: datetime) -> Mapping[str, Any]:
    """A person's contributions up to last month."""
    first = at.year - Seed(subject, "social").between(3, 24, "years")
    years = [_year(subject, year, at) for year in range(at.year, first - 1, -1)]
    return {
        "since": first,
        "months": sum(year["months"] for year in years),
        "years": years[:_SHOWN],
        "balance": sum(year["own"] for year in years),
    }


def _year(subject: str, year: int, at: datetime) -> dict[str, int]:
    seed = Seed(subject, f"social {year}")
    basis = seed.between(48, 160, "basis") * 100
    full = _MONTHS if year < at.year else at.month - 1
    months = max(0, full - max(0, seed.between(-8, 3, "gap")))
    # The insured person pays 8 % pension, 2 % medical and 0.5 % unemployment insurance; 8 % stay on the own account.
    return {"year": year, "basis": basis, "months": months, "own": basis * months * 8 // 100}
