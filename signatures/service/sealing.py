# SPDX-License-Identifier: Apache-2.0
"""Puts an organisation's seal on a document: a grant, so its intent is in the record before the key is touched."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from audit import Event, Outcome, Recorder
from ca.models import Issued, IssueRequest
from core.clock import Clock
from core.errors import Conflict
from policies.models import Decision

from ..errors import NoSeal, NothingSent, SealChanged, WishUsed
from ..keeping import NotKeeper, Rule, SamePerson, SecondNeeded
from ..models import Seal, SealOrder, SealState, Wish
from ..pades.cms import KeySigner
from ..store import Signing, SigningState, Store
from .acts import Act
from .commitment import Commitments
from .forming import Forming
from .keys import SealKeys
from .permission import Permission

_ABANDONED_AFTER = timedelta(minutes=10)


class Authority(Protocol):
    """The certificate authority, in process or over its socket."""

    def issue(self, request: IssueRequest) -> Issued:
        """Make a certificate; recorded there."""
        ...


class Sealing:
    """The grant: permission, intent, signature, outcome, in this order."""

    def __init__(
        self,
        *,
        store: Store,
        permission: Permission,
        forming: Forming,
        keys: SealKeys,
        authority: Authority,
        recorder: Recorder,
        nudge: Callable[[], None],
        commitments: Commitments,
        # Who keeps an organisation's seal, and whether it takes two.
        rules: Callable[[str], Rule],
        clock: Clock,
    ) -> None:
        self._store = store
        self._rules = rules
        self._permission = permission
        self._forming = forming
        self._keys = keys
        self._authority = authority
        self._recorder = recorder
        self._nudge = nudge
        self._commitments = commitments
        self._clock = clock

    def establish(self, organisation: str, *, renew: bool = False) -> Seal:
        """Give an organisation its seal: a key made here and a certificate from the authority, which records it.

        Returns the present seal if there is one and it is not to be renewed.

        Raises:
            NotFound: the directory knows no such organisation.
            SealChanged: somebody else renewed it at the same moment.
            TallygateError: the authority refused.
        """
        found = self._permission.organisation(organisation)
        present = self._present(found.id)
        if present is not None and not renew:
            return present
        name, request = self._keys.make()
        # A death here leaves a key without a seal, and perhaps a certificate nobody can use: both harmless.
        issued = self._authority.issue(
            IssueRequest(profile="organisation-seal", csr=request, subject=found.id, actor="role:signatures")
        )
        seal = Seal(
            organisation=found.id,
            serial=issued.serial,
            certificate=issued.certificate.decode(),
            chain=issued.chain.decode(),
            key=name,
            state=SealState.ACTIVE,
            name=found.name,
            name_zh=found.name_zh,
            made_at=self._clock.now(),
        )
        self._keys.signer(seal)
        try:
            self._store.put_seal(seal, instead_of=present)
        except SealChanged:
            # The certificate was issued for nothing, and without its key it stays so.
            self._keys.drop(seal)
            if renew:
                raise
            return self._store.seal_of(found.id)
        return seal

    def seal(self, order: SealOrder, *, keep: Callable[[bytes], None] | None = None) -> bytes:
        """The document with the organisation's seal where the order wants it.

        ``keep`` is given the sealed document before its outcome is: whoever dies in between finds both or neither.

        Raises:
            IdentityRefused: nobody we believe says who the person is; recorded.
            SealDenied: this person may not; recorded.
            NotKeeper: the seal has keepers, and this person is none; recorded.
            SecondNeeded: the seal takes more keepers than stand behind the order; recorded.
            WishUsed: the gateway let this request through once, and it was carried out; recorded.
            NoSeal, SealUnusable: the organisation cannot seal now.
            CannotSeal, AlreadySigned: the document cannot take a seal; or another of the errors of ``Forming.prepare``.
            RecordUnavailable: the intent has no receipt; nothing was signed.
        """

        def prepare(seal: Seal, signer: KeySigner, commitment: str) -> Callable[[], bytes]:
            # Room in the document, made by a process that has no key; its answer is checked against the original.
            prepared = self._forming.prepare(order, seal, room=signer.room, commitment=commitment)
            return lambda: self._forming.sign(prepared, seal, signer)

        return self._grant(order, prepare, keep=keep)

    def sign_beside(self, order: SealOrder, *, keep: Callable[[bytes], None] | None = None) -> bytes:
        """A signature of the organisation over any file, to stand beside it (CAdES, detached).

        ``keep`` is as for ``seal``.

        Raises:
            TallygateError: as ``seal``, but for what concerns the document.
        """

        def prepare(_: Seal, signer: KeySigner, __: str) -> Callable[[], bytes]:
            return lambda: self._forming.sign_beside(order.document, signer)

        return self._grant(order, prepare, keep=keep)

    def _grant(
        self,
        order: SealOrder,
        prepare: Callable[[Seal, KeySigner, str], Callable[[], bytes]],
        *,
        keep: Callable[[bytes], None] | None = None,
    ) -> bytes:
        # 1. Who, for whom, and may they. A refusal is recorded too.
        wish, commitment, decision, name = self._admitted(order)
        self._seconded(order, wish, commitment)
        # 2. The seal and what its issuer says of it at this moment.
        seal = self._store.seal_of(order.organisation)
        signer = self._forming.signer(seal)
        # 3. All that needs no key.
        at = self._clock.now()
        sign = prepare(seal, signer, commitment)
        # 4. The intent. Without its receipt nothing is signed; a death after it leaves a row that replay() ends.
        act = Act(order, wish, commitment, seal, decision, name)
        intent = act.event("signature.intended", Outcome.INTENDED, at=self._clock.now())
        self._intend(act, intent, at)
        try:
            self._recorder.record(intent)
            # 5. The signature, and what its level asks for.
            signed = sign()
            if keep is not None:
                keep(signed)
        except BaseException:
            # Whether the log took the intent may be unknown; the row says that no document left.
            outcome = act.event("signature.made", Outcome.FAILURE, at=self._clock.now())
            self._store.finish(intent.key, SigningState.FAILED, outcome)
            self._nudge()
            raise
        # 6. The outcome, in the transaction that ends the intent; only then does the document leave.
        made = act.event("signature.made", Outcome.SUCCESS, at=self._clock.now())
        if not self._store.finish(intent.key, SigningState.MADE, made):
            raise Conflict
        self._nudge()
        return signed

    def missing(self, organisation: str, *, program: bool) -> int:
        """How many keepers still have to confirm what a keeper, or a program, asks for."""
        return max(0, self._rules(organisation).takes - int(not program))

    def admit(self, order: SealOrder) -> tuple[Wish, str]:
        """Who asks, and the commitment to the document, if they may ask for this seal.

        Raises:
            TallygateError: as ``seal``, but for what concerns the document.
        """
        wish, commitment, _, _ = self._admitted(order)
        return wish, commitment

    def propose(self, order: SealOrder, *, beside: bool = False) -> tuple[Wish, str]:
        """All of ``seal`` that needs neither key nor second person: who asks, and the document's commitment.

        With ``beside`` all of ``sign_beside``, which needs no room in the document.

        Raises:
            TallygateError: as ``seal``; whoever asks is told at once.
        """
        wish, commitment = self.admit(order)
        seal = self._store.seal_of(order.organisation)
        signer = self._forming.signer(seal)
        if not beside:
            self._forming.prepare(order, seal, room=signer.room, commitment=commitment)
        return wish, commitment

    def _admitted(self, order: SealOrder) -> tuple[Wish, str, Decision, str]:
        if not order.document:
            raise NothingSent
        commitment = self._commitments.of(order.document)
        wish = self._permission.wish(order, commitment)
        decision, name = self._permission.granted(order, wish, commitment)
        keepers = self._rules(order.organisation).keepers
        # A program is no keeper: as many of them as the seal takes stand behind what it asks (``_seconded``).
        if keepers and not wish.program_of and wish.actor not in keepers:
            self._permission.refuse(order, wish, commitment, code=NotKeeper.code)
            raise NotKeeper
        return wish, commitment, decision, name

    def _seconded(self, order: SealOrder, wish: Wish, commitment: str) -> None:
        rule, before = self._rules(order.organisation), [wish]
        for keeper in filter(None, (order.first, order.second)):
            if any(keeper.actor == each.actor or keeper.session in {"", each.session} for each in before):
                self._permission.refuse(order, keeper, commitment, code=SamePerson.code)
                raise SamePerson
            if keeper.actor not in rule.keepers:
                self._permission.refuse(order, keeper, commitment, code=NotKeeper.code)
                raise NotKeeper
            self._permission.granted(order, keeper, commitment)
            before.append(keeper)
        if len(before) - bool(wish.program_of) < rule.takes:
            self._permission.refuse(order, wish, commitment, code=SecondNeeded.code)
            raise SecondNeeded

    def settled(self, decision: str) -> SigningState | None:
        """How what was intended by one decision ended; nothing if nothing was intended.

        One that has not ended is ended as failed, for the caller knows that nobody is at it any more.
        """
        found = self._store.by_decision(decision)
        if found is None:
            return None
        signing, state = found
        if state is not SigningState.INTENDED:
            return state
        self._end(signing)
        self._nudge()
        ended = self._store.by_decision(decision)
        return ended[1] if ended is not None else None

    def replay(self) -> int:
        """End sealings whose process died between intent and outcome: no document left, and the record says so."""
        ended = sum(map(self._end, self._store.unfinished(before=self._clock.now() - _ABANDONED_AFTER)))
        if ended:
            self._nudge()
        return ended

    def _end(self, signing: Signing) -> bool:
        event = Event(
            key=secrets.token_hex(16),
            type="signature.made",
            outcome=Outcome.FAILURE,
            at=self._clock.now(),
            source="signatures",
            subject=signing.actor,
            object=signing.commitment,
            organisation=signing.organisation,
            decision=signing.decision,
            attributes={"certificate": signing.serial, "reason": "process_died"},
        )
        return self._store.finish(signing.key, SigningState.FAILED, event)

    def _present(self, organisation: str) -> Seal | None:
        try:
            return self._store.seal_of(organisation)
        except NoSeal:
            return None

    def _intend(self, act: Act, intent: Event, at: datetime) -> None:
        signing = Signing(
            key=intent.key,
            organisation=act.order.organisation,
            actor=act.wish.actor,
            decision=act.wish.decision,
            commitment=act.commitment,
            serial=act.seal.serial,
            at=at,
        )
        try:
            self._store.intend(signing)
        except WishUsed as error:
            self._permission.refuse(act.order, act.wish, act.commitment, code=error.code)
            raise
