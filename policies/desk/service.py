# SPDX-License-Identifier: Apache-2.0
"""The verbs of the desk: begin, edit, check, replay, propose, sign, order; and what was ordered, for the clerk.

Everything is recorded before it is shown or done. Nothing here puts policies in force: an order lies until the
operator's clerk, which holds the policy key, has checked its signatures by the site's own configuration.
"""

import base64
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit import Event, Outcome, Recorder, Wait, new_key
from audit.models import Reader
from core.clock import Clock

from ..approval import NEEDED, Trial, approving, statement
from ..bundle import digests, history, read_current
from ..errors import (
    BadDraft,
    BundleRefused,
    DraftMoved,
    NoAdministrators,
    TooFewSigned,
    Unsound,
    WrongSignature,
)
from ..models import Past
from ..replay import changes, disagreements, questions, usage
from .building import Builds, content, differences
from .building import rows as rows_used_here
from .models import (
    LONGEST_FILE,
    LONGEST_TITLE,
    MOST_DAYS,
    MOST_DECISIONS,
    MOST_FILES,
    Act,
    Checked,
    Draft,
    FileDiff,
    Order,
    Overview,
    PolicyLine,
    Replayed,
    State,
)
from .store import DeskStore

Decisions = Callable[[Reader, int], Iterable[Past]]
"""Recorded decisions of the last days, the newest first, as this reader may see them; the reading is recorded."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\.(cedar|cedarschema|toml|csv)")


class Desk:
    """Everything a security administrator does with policies."""

    def __init__(
        self,
        *,
        store: DeskStore,
        folder: Path,
        key: Ed25519PublicKey,
        administrators: Callable[[], Mapping[str, str]],
        decisions: Decisions,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        """``folder`` is where bundles lie; ``administrators`` are read anew each time, as the clerk reads them."""
        self._store = store
        self._builds = Builds(folder=folder, key=key)
        self._administrators = administrators
        self._decisions = decisions
        self._recorder = recorder
        self._clock = clock

    def overview(self, reader: Reader, *, days: int, before: str = "") -> Overview:
        """What is in force, how much each policy is used, and everything under way.

        ``before`` is the draft after which the list of drafts goes on; empty for the newest.

        Raises:
            BundleRefused: what is in force cannot be read.
            NoSuchDraft: there is none to go on after.
            RecordUnavailable: the reading could not be recorded.
        """
        days = self._read(reader, "overview", days=days)
        manifest, made, checked = self._builds.in_force()
        drafts, older = self._store.drafts(before)
        past = list(islice(self._decisions(reader, days), MOST_DECISIONS + 1))
        cut, past = len(past) > MOST_DECISIONS, past[:MOST_DECISIONS]
        used = {use.name: use for use in usage(past, made.policies)}
        idle: dict[str, list[str]] = {}
        for pair in checked.needless:
            idle.setdefault(pair.policy, []).append(pair.told)
        lines = tuple(
            PolicyLine(
                id=policy.id,
                forbids=policy.forbids,
                owner=policy.owner,
                reason=policy.reason,
                hits=used[policy.id].hits,
                alone=used[policy.id].alone,
                needless=tuple(idle.get(policy.id, ())),
            )
            for policy in made.rules
        )
        return Overview(
            manifest=manifest,
            days=days,
            asked=len(past),
            cut=cut,
            lines=tuple(sorted(lines, key=lambda line: (line.hits, line.id))),
            rows=rows_used_here(made, past),
            drafts=drafts,
            older=older,
            history=tuple(history(self._builds.folder, self._builds.key)),
            shadow=self._builds.shadow(),
            disagreements=tuple(disagreements(past)),
            orders=self._store.orders(),
            administrators=tuple(sorted(self._administrators())),
        )

    def begin(self, reader: Reader, title: str, *, version: str = "") -> Draft:
        """Begin a draft from what is in force, or from an earlier ``version`` to go back to it.

        Raises:
            NoSuchDraft: there is no such version.
            BadDraft: the title is none.
        """
        if not title.strip() or len(title) > LONGEST_TITLE:
            raise BadDraft(name="title")
        manifest, _made, _checked = self._builds.in_force()
        files = self._builds.version(version or manifest.version)
        now = self._clock.now()
        draft = Draft(
            id=secrets.token_hex(8),
            title=title.strip(),
            state=State.DRAFT,
            base=manifest.version,
            author=reader.subject,
            created=now,
            changed=now,
            version=1,
            sequence=0,
            trial="",
            files={name: content.decode("utf-8") for name, content in files.items()},
            signatures={},
        )
        self._told(reader, draft, "begun")
        self._store.begin(draft)
        return draft

    def look(self, reader: Reader, identifier: str) -> tuple[Draft, Checked, tuple[FileDiff, ...], tuple[Order, ...]]:
        """One draft, what is wrong with it, how it differs from what is in force, and what was ordered.

        Raises:
            NoSuchDraft: there is none.
            RecordUnavailable: the reading could not be recorded.
        """
        self._read(reader, "draft")
        draft = self._store.get(identifier)
        now = read_current(self._builds.folder, self._builds.key)[1]
        checked = self._builds.check(draft.content)[1]
        return draft, checked, differences(now, draft.content), self._store.orders(draft.id)

    def edit(self, reader: Reader, identifier: str, *, version: int, name: str, text: str) -> Draft:
        """Put one file into a draft; with an empty text, take it out.

        Raises:
            DraftMoved: it is proposed, or somebody changed it meanwhile.
            BadDraft: no release can have such a file.
        """
        draft = self._at(identifier, version, State.DRAFT)
        content = text.replace("\r\n", "\n").replace("\r", "\n")
        if not _NAME.fullmatch(name) or len(content.encode("utf-8", "replace")) > LONGEST_FILE or "\0" in content:
            raise BadDraft(name=name[:60])
        files = {**draft.files, name: content}
        if not content.strip():
            del files[name]
        if len(files) > MOST_FILES:
            raise BadDraft(name=name)
        changed = replace(draft, files=files)
        self._told(reader, changed, "changed")
        self._store.change(draft, at=self._clock.now(), files=files)
        return self._store.get(identifier)

    def replay(self, reader: Reader, identifier: str, *, days: int) -> Replayed:
        """Who would have gained and who would have lost in the last days.

        Raises:
            Unsound: the draft does not build.
            RecordUnavailable: the reading could not be recorded.
        """
        days = self._read(reader, "replay", days=days)
        draft = self._store.get(identifier)
        made, checked = self._builds.check(draft.content)
        if made is None:
            raise Unsound(why=checked.broken)
        before = self._builds.in_force()[1]
        past = list(islice(self._decisions(reader, days), MOST_DECISIONS + 1))
        asked = questions(past[:MOST_DECISIONS])
        of_cases = Counter({*before.questions, *made.questions})
        return Replayed(
            days=days,
            asked=asked.total(),
            different=len(asked),
            cut=len(past) > MOST_DECISIONS,
            changes=tuple(changes(asked, before=before.decide, after=made.decide)),
            of_cases=tuple(changes(of_cases, before=before.decide, after=made.decide)),
        )

    def propose(
        self, reader: Reader, identifier: str, *, version: int, minutes: int = 0, without_shadow: str = ""
    ) -> None:
        """End the writing: from here on the files stay as they are, and administrators sign them.

        They sign too how many minutes it is tried in shadow at least, or the word why it need not be.

        Raises:
            BadDraft: the reason for releasing it untried is no word.
            DraftMoved: it is no draft any more, or somebody changed it meanwhile.
            Unsound: it does not build, a case fails, or a policy says no owner or no reason.
        """
        draft = self._at(identifier, version, State.DRAFT)
        try:
            trial = Trial.read(Trial(seconds=0 if without_shadow else minutes * 60, without=without_shadow).said)
        except BundleRefused as error:
            raise BadDraft(name="without_shadow") from error
        checked = self._builds.check(draft.content)[1]
        if not checked.sound:
            raise Unsound(why=checked.broken or "; ".join(checked.wrong[:5]))
        sequence = self._builds.in_force()[0].sequence + 1
        self._told(reader, replace(draft, sequence=sequence, trial=trial.said), "proposed")
        self._store.change(draft, at=self._clock.now(), state=State.PROPOSED, sequence=sequence, trial=trial.said)

    def withdraw(self, reader: Reader, identifier: str, *, version: int) -> None:
        """Give a draft or a proposal up, with what was ordered of it and not carried out yet.

        Raises:
            DraftMoved: it is over already, or somebody changed it meanwhile.
        """
        draft = self._at(identifier, version, State.DRAFT, State.PROPOSED)
        self._told(reader, draft, "withdrawn")
        self._store.change(draft, at=self._clock.now(), state=State.WITHDRAWN)

    def statement(self, reader: Reader, identifier: str) -> bytes:
        """The bytes that this administrator signs with a key of their own, on a machine of their own.

        Raises:
            DraftMoved: it is not proposed.
            NoAdministrators: the site knows no key of this administrator.
        """
        draft = self._store.get(identifier)
        if draft.state is not State.PROPOSED:
            raise DraftMoved
        if reader.subject not in self._administrators():
            raise NoAdministrators
        self._read(reader, "statement")
        return statement(
            digests(draft.content), sequence=draft.sequence, administrator=reader.subject, trial=draft.trial
        )

    def sign(self, reader: Reader, identifier: str, *, version: int, signature: str) -> None:
        """Add an administrator's own signature.

        Raises:
            DraftMoved: it is not proposed, somebody changed it, or this administrator has signed already.
            NoAdministrators: the site knows no key of this administrator.
            WrongSignature: it is not theirs over this proposal.
        """
        draft = self._at(identifier, version, State.PROPOSED)
        administrators = self._administrators()
        if reader.subject not in administrators:
            raise NoAdministrators
        given = "".join(signature.split())
        mine = {reader.subject: administrators[reader.subject]}
        if not _signed(draft, {reader.subject: given}, mine):
            raise WrongSignature
        if reader.subject in draft.signatures:
            raise DraftMoved
        self._record("policy.approved", reader, about=content(draft), attributes=_told_of(draft))
        self._store.sign(draft, administrator=reader.subject, signature=_canonical(given))

    def order(self, reader: Reader, identifier: str, *, version: int, act: Act) -> None:
        """Have the clerk try a proposal in shadow (one signature) or put it in force (two).

        Raises:
            DraftMoved: it is not proposed, or the same order waits already.
            NoAdministrators: the site names none.
            TooFewSigned: too few of them signed.
        """
        draft = self._at(identifier, version, State.PROPOSED)
        administrators = self._administrators()
        if not administrators:
            raise NoAdministrators
        signed = _signed(draft, draft.signatures, administrators)
        needed = NEEDED if act is Act.RELEASE else 1
        if len(signed) < needed:
            raise TooFewSigned(needed=needed, signed=len(signed))
        self._record("policy.ordered", reader, about=draft.id, attributes=_told_of(draft) | {"act": str(act)})
        self._store.order(draft=draft.id, act=act, actor=reader.subject, at=self._clock.now())

    def end_trial(self, reader: Reader) -> None:
        """Have the clerk end the trial in shadow; needs no signature, for it never decided anything.

        Raises:
            DraftMoved: nothing is tried, or the same order waits already.
        """
        shadow = self._builds.shadow()
        if shadow is None:
            raise DraftMoved
        self._record("policy.ordered", reader, about=shadow.version, attributes={"act": str(Act.END)})
        self._store.order(draft="", act=Act.END, actor=reader.subject, at=self._clock.now())

    def compare(self, reader: Reader, version: str, other: str) -> tuple[FileDiff, ...]:
        """How one version differs from an older one.

        Raises:
            NoSuchDraft: one of them was never in force.
            RecordUnavailable: the reading could not be recorded.
        """
        self._read(reader, "versions")
        return differences(self._builds.version(other), self._builds.version(version))

    def waiting(self) -> Sequence[tuple[Order, Draft | None]]:
        """What the clerk is to do, in order; never for a draft that was given up."""
        found = ((order, self._store.get(order.draft) if order.draft else None) for order in self._store.waiting())
        return [(order, draft) for order, draft in found if draft is None or draft.state is not State.WITHDRAWN]

    def answer(self, number: int, *, done: bool, told: str) -> None:
        """What the clerk says became of an order."""
        self._store.answer(number, done=done, told=told[:2000], at=self._clock.now())

    def _at(self, identifier: str, version: int, *states: State) -> Draft:
        draft = self._store.get(identifier)
        if draft.version != version or draft.state not in states:
            raise DraftMoved
        return draft

    def _read(self, reader: Reader, view: str, *, days: int = 0) -> int:
        days = max(1, min(days, MOST_DAYS)) if days else 0
        self._record("policy.read", reader, attributes={"view": view} | ({"days": days} if days else {}))
        return days

    def _told(self, reader: Reader, draft: Draft, step: str) -> None:
        said = _told_of(draft) | {"base": draft.base, "step": step}
        self._record("policy.drafted", reader, about=draft.id, attributes=said)

    def _record(
        self,
        kind: str,
        reader: Reader,
        *,
        about: str = "",
        attributes: Mapping[str, str | int | bool],
    ) -> None:
        self._recorder.record(
            Event(
                key=new_key(),
                type=kind,
                outcome=Outcome.SUCCESS,
                at=self._clock.now(),
                source="audit",
                actor=reader.subject,
                session=reader.session,
                zone=reader.zone,
                object=about,
                attributes=attributes,
            ),
            wait=Wait.SEQUENCED,
        )


def _signed(draft: Draft, signatures: Mapping[str, str], administrators: Mapping[str, str]) -> frozenset[str]:
    return approving(
        digests(draft.content),
        signatures,
        sequence=draft.sequence,
        administrators=administrators,
        trial=draft.trial,
    )


def _told_of(draft: Draft) -> dict[str, str | int | bool]:
    said: dict[str, str | int | bool] = {"content": content(draft)}
    said |= {"sequence": draft.sequence} if draft.sequence else {}
    return said | ({"trial": draft.trial} if draft.trial else {})


def _canonical(signature: str) -> str:
    return base64.b64encode(base64.b64decode(signature)).decode()
