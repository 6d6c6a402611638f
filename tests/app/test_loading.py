# SPDX-License-Identifier: Apache-2.0
"""A role loads what it needs and no more: a site is a score of processes, and each pays for its libraries."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Half a second and forty megabytes together, in each process that loads them.
FOR_ONE_ROLE = {"pkilint", "pyasn1_alt_modules", "pyhanko", "reportlab"}


@pytest.mark.parametrize("role", ["audit", "directory", "gateway", "portals", "sso"])
def test_a_role_carries_no_library_that_another_role_needs(role: str) -> None:
    ask = f"import sys, app.wiring.{role}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not set(said.split()) & FOR_ONE_ROLE
