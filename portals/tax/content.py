# SPDX-License-Identifier: Apache-2.0
"""The yearly settlement of comprehensive income, computed as 个人所得税法 has it (article 3, annex table 1)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..base.seed import Seed

_ALLOWANCE = 60_000
# Upper end of each band in yuan, rate in percent, quick deduction.
_BANDS = (
    (36_000, 3, 0),
    (144_000, 10, 2_520),
    (300_000, 20, 16_920),
    (420_000, 25, 31_920),
    (660_000, 30, 52_920),
    (960_000, 35, 85_920),
)
_TOP = (45, 181_920)


def tax_on(taxable: int) -> int:
    """Tax on a year's taxable income, in whole yuan."""
    for end, rate, deduction in _BANDS:
        if taxable <= end:
            return taxable * rate // 100 - deduction
    return taxable * _TOP[0] // 100 - _TOP[1]


def declaration(subject: str, at: datetime) -> Mapping[str, Any]:
    """The declaration a person files this year for the last."""
    seed = Seed(subject, f"tax {at.year - 1}")
    income = seed.between(720, 3600, "income") * 100
    insurance = income * seed.between(10, 17, "insurance") // 100
    special = seed.between(0, 4, "special") * 12_000
    taxable = max(0, income - _ALLOWANCE - insurance - special)
    due = tax_on(taxable)
    withheld = max(0, due + seed.between(-1200, 3600, "withheld"))
    return {
        "year": at.year - 1,
        "income": income,
        "allowance": _ALLOWANCE,
        "insurance": insurance,
        "special": special,
        "taxable": taxable,
        "due": due,
        "withheld": withheld,
        "refund": withheld - due,
        "filed": seed.between(0, 1, "filed") == 1,
    }
