# SPDX-License-Identifier: Apache-2.0
"""The way to another site's witness, over HTTP. Nothing it says is believed before its signature is checked."""

from pathlib import Path

from core.calls import Outside, Reply
from core.errors import N_, Unavailable

from .submission import LARGEST


class WitnessSilent(Unavailable):
    """No answer, or one without end."""

    code = "witness_silent"
    message = N_("A witness does not answer.")


class WitnessClient:
    """One submission prefix; ``authorities`` is a file of root certificates for an https address."""

    def __init__(self, url: str, *, authorities: Path | None = None, timeout: float = 5.0) -> None:
        address = f"{url.rstrip('/')}/add-checkpoint"
        self._outside = Outside(address, authorities=authorities, timeout=timeout, largest=LARGEST)

    def add_checkpoint(self, body: bytes) -> Reply:
        """Send a submission.

        Raises:
            WitnessSilent: no answer in time, or one that is too long.
        """
        try:
            return self._outside.post(body, {"Content-Type": "text/plain; charset=utf-8"})
        except Unavailable as error:
            raise WitnessSilent from error

    def close(self) -> None:
        """Drop idle connections."""
        self._outside.close()
