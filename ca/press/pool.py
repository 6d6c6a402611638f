# SPDX-License-Identifier: Apache-2.0
"""Lints with the authority's helping processes.

Nobody waits for one: while all are busy, or still starting, or dead, whoever asks lints by itself.
"""

from collections.abc import Sequence

from core.crew import Crew, Helper
from core.log import logger

from ..x509.lint import Finding, findings
from .line import asked, read_told

_log = logger(__name__)


class Press:
    """Lints; any thread may ask."""

    def __init__(self, helpers: int = 0) -> None:
        """Start so many processes; with none, whoever asks computes."""
        self._crew = Crew("ca.press", helpers, died=_died)

    @property
    def helpers(self) -> Sequence[Helper]:
        """The processes as they are now."""
        return self._crew.helpers

    def findings(self, drafts: Sequence[bytes]) -> list[list[Finding]]:
        """Of each draft, code and text of everything of NOTICE or worse."""
        found = self._crew.ask(asked(drafts), lambda answer: read_told(answer, len(drafts)))
        return [findings(draft) for draft in drafts] if found is None else found

    def close(self) -> None:
        """End the helpers."""
        self._crew.close()


def _died(error: Exception) -> None:
    _log.warning("lint_helper_died", exc_info=error)
