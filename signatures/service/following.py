# SPDX-License-Identifier: Apache-2.0
"""Another one's trust list is taken on the record: who may sign it and each version before it counts, and refusals.

It grants more than a signature does: whoever is on such a list is trusted from then on. Without the record nothing is.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256

from audit import Event, Outcome, Recorder
from core.clock import Clock

from ..errors import ListRefused
from ..trustlists import Issue, TrustList
from .trusted import FollowedLists


class Following:
    """The verbs of whoever has lists taken: the operator, or a rule of the settings (``caller``).

    ``told`` is for which reason the same was refused the last time: what is asked for again and again is told once.
    """

    def __init__(
        self, *, lists: FollowedLists, recorder: Recorder, tell: Callable[[Event], object], clock: Clock, caller: str
    ) -> None:
        """``tell`` keeps a record of what is taken away until the log takes it."""
        self._lists = lists
        self._recorder = recorder
        self._tell = tell
        self._clock = clock
        self._caller = caller

    def pin(self, name: str, key: bytes, *, told: str = "") -> None:
        """Have another site's list signed by this key (PEM).

        Raises:
            ListRefused: as ``FollowedLists.follow``; recorded.
            RecordUnavailable: it is not pinned, for it could not be recorded.
        """
        with self._granting("signature.list.pinned", name, key, told) as intend:
            self._lists.follow(name, key, before=intend)

    def pin_state(self, name: str, signers: Sequence[bytes], *, told: str = "") -> None:
        """Have a state's list signed by one of these certificates (DER).

        Raises:
            ListRefused, RecordUnavailable: as ``pin``.
        """
        with self._granting("signature.list.pinned", name, b"".join(signers), told) as intend:
            self._lists.follow_state(name, signers, before=intend)

    def take(self, name: str, document: bytes, *, told: str = "") -> TrustList:
        """Take a version of another site's list; the same one again changes nothing.

        Raises:
            ListRefused: as ``FollowedLists.accept``; recorded.
            RecordUnavailable: it does not count, for it could not be recorded.
        """
        with self._granting("signature.list.taken", name, document, told) as intend:
            return self._lists.accept(name, document, at=self._clock.now(), before=_numbered(intend))

    def take_state(self, name: str, document: bytes, *, told: str = "") -> Issue:
        """Take an issue of a state's list.

        Raises:
            ListRefused, RecordUnavailable: as ``take``.
        """
        with self._granting("signature.list.taken", name, document, told) as intend:
            return self._lists.accept_state(name, document, at=self._clock.now(), before=_numbered(intend))

    def drop_state(self, name: str) -> None:
        """Trust a state's list no more, at once, whether the log can be told now or not."""
        self._tell(self._event("signature.list.dropped", name, name.encode()))
        self._lists.drop_state(name)

    @contextmanager
    def _granting(self, type_: str, name: str, content: bytes, told: str) -> Iterator[Callable[..., None]]:
        """Records the intent when it is called, and then how it ended."""
        intended: list[Event] = []

        def intend(number: int = 0) -> None:
            event = self._event(type_, name, content, outcome=Outcome.INTENDED, number=number)
            self._recorder.record(event)
            intended.append(event)

        try:
            yield intend
        except ListRefused as error:
            if error.why == told:
                raise
            refused = self._event("signature.list.refused", name, content, outcome=Outcome.DENIED, code=error.why)
            self._recorder.record(refused)
            raise
        except BaseException:
            self._end(intended, Outcome.FAILURE)
            raise
        self._end(intended, Outcome.SUCCESS)

    def _end(self, intended: Sequence[Event], outcome: Outcome) -> None:
        for each in intended:
            self._recorder.record(replace(each, key=secrets.token_hex(16), outcome=outcome, at=self._clock.now()))

    def _event(
        self,
        type_: str,
        name: str,
        content: bytes,
        *,
        outcome: Outcome = Outcome.SUCCESS,
        number: int = 0,
        code: str = "",
    ) -> Event:
        told: dict[str, str | int | bool] = {"list": name, "caller": self._caller}
        if number:
            told["number"] = number
        if code:
            told["code"] = code
        return Event(
            key=secrets.token_hex(16),
            type=type_,
            outcome=outcome,
            at=self._clock.now(),
            source="signatures",
            object=sha256(content).hexdigest(),
            attributes=told,
        )


def _numbered(intend: Callable[..., None]) -> Callable[[int], None]:
    def before(number: int) -> None:
        intend(number)

    return before
