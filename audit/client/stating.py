# SPDX-License-Identifier: Apache-2.0
"""How a process has the settings with which it begins put on the record."""

from pathlib import Path

from ..errors import RecordUnavailable
from ..merkle import VerifierKey
from ..models_settings import Stated
from ..wire import WireBroken
from .channel import Channel

_TIMEOUT = 5.0


def state(path: Path, stated: Stated, *, caller: str, secret: bytes, log_key: str) -> None:
    """Return when the record holds them, whoever had them recorded.

    Raises:
        RecordUnavailable: it cannot be said that it does.
    """
    try:
        channel, _ = Channel.open(
            path,
            caller=caller,
            secret=secret,
            key=VerifierKey.parse(log_key),
            timeout=_TIMEOUT,
            settings=stated.document(),
        )
    except (OSError, WireBroken) as error:
        raise RecordUnavailable from error
    channel.close()
