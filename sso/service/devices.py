# SPDX-License-Identifier: Apache-2.0
"""Devices without a browser: they ask, a person types their short code elsewhere, sees who asks, and decides."""

import hmac
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from audit import Outcome
from core.clock import Clock

from ..config import SSOSettings
from ..errors import DeviceUndecidable, MandateOver, StepUpNeeded, UserCodeWrong
from ..models import SELF, Call, Client, DeviceCode, Grant, HeldMandate, Session, Visitor
from ..oauth.openid import Step
from ..oauth.rfc8628 import INTERVAL, device_request, new_user_code, shown, typed
from ..store import Store, digest
from .admission import Admission, as_sure_as_now
from .agreement import Agreement
from .limits import Limits
from .mandates import Mandates
from .possession import Possession
from .records import Records
from .seals import Broken, Seal


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A device that waits, as its person sees it."""

    client: Client
    device: DeviceCode
    # What the answer has to bring along: this device, decided on in this very session.
    sealed: str
    # For whom the person may act there, if the device asks for it.
    choices: Sequence[HeldMandate]


class Devices:
    """From a device's first question to its person's decision; the token endpoint does the rest."""

    def __init__(
        self,
        *,
        issuer: str,
        store: Store,
        records: Records,
        admission: Admission,
        agreement: Agreement,
        mandates: Mandates,
        limits: Limits,
        possession: Possession,
        settings: SSOSettings,
        clock: Clock,
        key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
    ) -> None:
        """``key`` seals what the confirming page carries."""
        self._issuer = issuer
        self._store = store
        self._records = records
        self._admission = admission
        self._agreement = agreement
        self._mandates = mandates
        self._limits = limits
        self._possession = possession
        self._lifetime = int(settings.device_lifetime.total_seconds())
        self._clock = clock
        self._seal = Seal(key, "device", clock=clock)
        self._fresh = fresh
        self._nudge = nudge

    def begin(self, client: Client, call: Call, *, visitor: Visitor) -> Mapping[str, str | int]:
        """Give a device its two codes (section 3.2).

        Raises:
            UnauthorizedClient, BadTokenRequest, InvalidScope, InvalidTarget, InvalidDetails: the request is wrong.
            TooMany: this application asks too often from there.
        """
        request = device_request(client, call.parameters)
        jkt = self._possession.key(client, call)
        self._limits.count(device__client_and_network=f"{client.id}\0{visitor.network}")
        code, at = secrets.token_urlsafe(32), self._now()
        user_code = new_user_code()
        waiting = DeviceCode(
            digest=digest(code),
            user_digest=digest(user_code),
            client_id=client.id,
            scopes=request.scopes,
            resources=request.resources,
            details=request.details,
            jkt=jkt,
            network=visitor.network,
            agent=visitor.agent,
            asked_at=at,
            expires_at=at + self._lifetime,
            interval=INTERVAL,
        )
        if not self._store.devices.put(waiting):
            # One in 25 thousand million: the device asks again.
            raise DeviceUndecidable
        return {
            "device_code": code,
            "user_code": shown(user_code),
            "verification_uri": f"{self._issuer}/device",
            "expires_in": self._lifetime,
            "interval": INTERVAL,
        }

    def asking(self, text: str, *, session: Session, visitor: Visitor) -> Asking:
        """The device of a short code.

        Raises:
            UserCodeWrong: none waits under it.
            TooMany: this person, this place, or others with this very code, have to wait.
        """
        code = typed(text)
        counted = {
            "user_code__person": session.subject,
            "user_code__network": visitor.network,
            "user_code__itself": code,
        }
        self._limits.count(**counted)
        device = self._store.devices.waiting(digest(code), self._now()) if code else None
        client = self._store.clients.find(device.client_id) if device else None
        if device is None or client is None:
            refused = self._records.tokens_refused(
                "unknown",
                grant_type="device_code",
                reason="user code",
                subject=session.subject,
                session=session.sid,
            )
            self._records.write(refused)
            raise UserCodeWrong
        self._limits.forgive(**{kind: about for kind, about in counted.items() if kind != "user_code__itself"})
        sealed = self._seal.close(json.dumps([device.digest, session.digest]))
        asked = "mandate" in device.scopes
        choices = self._mandates.usable(session.subject, client) if asked else []
        return Asking(client=client, device=device, sealed=sealed, choices=choices)

    def decide(
        self,
        sealed: str,
        *,
        session: Session,
        allow: bool,
        withheld: frozenset[str] = frozenset(),
        acting: str = SELF,
    ) -> Client:
        """The person says yes or no, and for whom the device acts; the application is returned.

        Raises:
            MandateOver: they may not act for whom they chose.
            DeviceUndecidable: over, decided already, or shown to another session.
            StepUpNeeded, AccessDenied: the policies want a surer login, or none at all.
            RecordUnavailable: nothing was granted.
        """
        device, client = self._opened(sealed, session)
        if not allow:
            if not self._store.devices.refuse(device):
                raise DeviceUndecidable
            return client
        # 1. Nothing is granted on old news, and nothing beyond the policies.
        self._fresh()
        person = self._admission.holder(session)
        session = as_sure_as_now(session, person)
        step, level = self._admission.step(client, session, person)
        if step is Step.STEP_UP:
            raise StepUpNeeded(level=level)
        acts = acting != SELF and "mandate" in device.scopes - withheld
        if acts and not self._mandates.stands(session.subject, acting, client):
            raise MandateOver
        # 2. Remember the yes, and what was withheld.
        refused = self._agreement.remember(session, client.id, device.scopes, withheld=withheld)
        at = self._now()
        grant = Grant(
            id=secrets.token_urlsafe(18),
            subject=session.subject,
            client_id=client.id,
            sid=session.sid,
            scopes=device.scopes - refused,
            refused=refused,
            assurance=session.assurance,
            methods=session.methods,
            authenticated_at=session.authenticated_at,
            nonce="",
            place="",
            created_at=at,
            resources=device.resources,
            details=device.details,
            mandate=acting if acts else "",
            proofing=person.proofing.level if person else -1,
        )
        # 3. Record the intent, then family, decision and outcome in one transaction.
        self._records.write(self._records.code(grant, Outcome.INTENDED))
        outcome = self._records.code(grant, Outcome.SUCCESS)
        if not self._store.devices.grant(device, grant, expires_at=session.expires_at, at=at, outcome=outcome):
            raise DeviceUndecidable
        self._nudge()
        return client

    def _opened(self, sealed: str, session: Session) -> tuple[DeviceCode, Client]:
        try:
            named, shown_to = json.loads(self._seal.open(sealed))
        except Broken as error:
            raise DeviceUndecidable from error
        device = self._store.devices.find(named)
        client = self._store.clients.find(device.client_id) if device else None
        if device is None or client is None or not hmac.compare_digest(shown_to, session.digest):
            raise DeviceUndecidable
        if device.state != "waiting" or device.expires_at <= self._now():
            raise DeviceUndecidable
        return device, client

    def _now(self) -> int:
        return int(self._clock.now().timestamp())
