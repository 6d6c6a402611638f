# SPDX-License-Identifier: Apache-2.0
"""A role whose token anybody on the machine could use does not start."""

from pathlib import Path

import pytest

from app.wiring.willing import private
from core.config import ConfigurationError


def test_a_pin_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    # One that is put there later is missed when a key is used.
    assert private(pin) == pin
    pin.write_text("1234")
    for mode in (0o644, 0o640, 0o604):
        pin.chmod(mode)
        with pytest.raises(ConfigurationError, match="PIN must not be readable"):
            private(pin)
    pin.chmod(0o600)
    assert private(pin) == pin
