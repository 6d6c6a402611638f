# SPDX-License-Identifier: Apache-2.0
"""The operator's clerk: carries out what the desk ordered, with the policy key that no running role holds.

The desk is not trusted. What counts are the signatures of the administrators whom the site's configuration names at
this moment, over the very files, the number and the trial of the order; every role checks the same signatures again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit import Recorder
from core.calls import Peer
from core.clock import Clock
from core.errors import TallygateError
from core.log import logger

from .approval import Approval, Trial, approving
from .bundle import digests, end_shadow, put_in_shadow, read_current, release
from .errors import BundleRefused, NoAdministrators, NothingToRelease
from .keys import read_release_key

ORDERS = "/api/v1/policy-orders"
_log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Clerk:
    """Asks the desk and answers it."""

    desk: Peer
    # Where bundles lie, and where the policy key and the journal do.
    folder: Path
    key_file: Path
    journal: Path
    recorder: Callable[[], Recorder]
    clock: Clock
    administrators: Callable[[], Mapping[str, str]]

    def round(self) -> int:
        """Carry out what waits, and return how much it was.

        Raises:
            Unavailable: the desk does not answer.
            ConfigurationError: the site's file or the policy key cannot be read.
        """
        waiting = self.desk.call("GET", ORDERS).json()["orders"]
        for order in waiting:
            try:
                told = self._carry_out(order)
            except TallygateError as error:
                _log.warning("order_refused", order=order["id"], code=error.code)
                done, told = False, error.detail
            else:
                done = True
            self.desk.call("POST", f"{ORDERS}/{int(order['id'])}", document={"done": done, "told": told})
        return len(waiting)

    def _carry_out(self, order: Mapping[str, Any]) -> str:
        key, actor = read_release_key(self.key_file), str(order["actor"])
        common: dict[str, Any] = {
            "journal": self.journal,
            "recorder": self.recorder(),
            "at": self.clock.now(),
            "actor": actor,
        }
        if order["act"] == "end":
            return end_shadow(self.folder, key=key, **common)
        files = {str(name): str(text).encode("utf-8") for name, text in order["files"].items()}
        administrators, sequence = self.administrators(), int(order["sequence"])
        given = {str(name): str(signature) for name, signature in order["signatures"].items()}
        trial = Trial.read(str(order["trial"])).said
        if not administrators:
            raise NoAdministrators
        if not approving(digests(files), given, sequence=sequence, administrators=administrators, trial=trial):
            raise BundleRefused(why="no security administrator of this site signed it")
        if order["act"] == "try":
            return put_in_shadow(self.folder, files, key=key, **common).version
        if order["act"] != "release":
            raise BundleRefused(why="the order says nothing that can be done")
        approvals = [Approval(administrator=n, sequence=sequence, signature=s, trial=trial) for n, s in given.items()]
        try:
            return release(
                self.folder,
                files,
                key=key,
                approvals=approvals,
                administrators=administrators,
                **common,
            ).version
        except NothingToRelease:
            # It was carried out, and its answer did not arrive.
            return read_current(self.folder, key.public_key())[0].version
