# SPDX-License-Identifier: Apache-2.0
"""From a ready order to its certificate: the whole issuance ceremony, once, whatever dies meanwhile.

ready → processing commits with the request and the hash of its key. Then the ceremony is held. processing → valid
commits with the serial and the record. Who dies between leaves a processing order; whoever finds it looks first for a
certificate of that key which was made since, and holds the ceremony only if there is none. If the process died around
the signature itself, the serial stays "possibly issued", the key has been used, and the order ends as invalid.
"""

import json
import secrets
from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from core.clock import Clock
from core.errors import Internal, TallygateError, Unavailable
from core.log import logger

from ..errors import KeyRefused, RequestRefused
from ..models import Certificate, IssueRequest, Standing, State
from ..service import CertificateAuthority
from ..store import Store as AuthorityStore
from ..x509 import PROFILES, read_request
from .gate import Gate, key_of
from .models import Account, AccountState, Identifier, Kind, Order, OrderState
from .names import address, dns_name
from .notes import ACTOR, about_order, note
from .problems import Problem, Type
from .proving import Prover
from .store import Store

_log = logger(__name__)
LEASE = timedelta(seconds=30)
"""After so long a process that issues is taken for dead."""
CAA_LASTS = timedelta(hours=8)
"""A look at CAA records counts for so long."""
PAUSE = timedelta(seconds=2)
"""Between two attempts while the record or the directory does not answer."""
_ROLE = frozenset({ACTOR})


class Finalizing:
    """Ends orders."""

    def __init__(
        self,
        *,
        store: Store,
        certificates: AuthorityStore,
        authority: CertificateAuthority,
        clock: Clock,
        prover: Prover,
        gate: Gate,
        nudge: Callable[[], None],
    ) -> None:
        self._prover = prover
        self._gate = gate
        self._store = store
        self._certificates = certificates
        self._authority = authority
        self._clock = clock
        self._nudge = nudge

    def finalize(self, account: Account, order: Order, csr: bytes) -> None:
        """Check the request and issue; the order says how that ended.

        Raises:
            Problem: the request is not for this order, which stays ready; or the order is not ready.
        """
        if order.state is not OrderState.READY:
            raise Problem(Type.ORDER_NOT_READY, f"the order is {order.state.value}")
        key_hash = _check(account, order, csr)
        self._check_caa(account, order)
        claim = secrets.token_hex(16)
        until = self._clock.now() + LEASE
        if not self._store.orders.begin(order.id, csr=csr, key_hash=key_hash, claim=claim, until=until):
            raise Problem(Type.ORDER_NOT_READY, "the order is not ready any more")
        self._issue(account, order, csr, claim)

    def _check_caa(self, account: Account, order: Order) -> None:
        """Look CAA records up again where the last look is too long ago (RFC 8659 section 4.1 and BR 3.2.2.8).

        Raises:
            Problem: they forbid it now; the order stays ready.
        """
        old = self._clock.now() - CAA_LASTS
        needed = [self._store.orders.authorization(name) for name in order.authorizations]
        shown = [
            (authorization, challenge)
            for authorization in needed
            if authorization is not None
            for challenge in authorization.challenges
            if challenge.validated is not None and challenge.validated < old
        ]
        if shown:
            self._prover.permitted(shown, accounts=self._gate.addresses(account.id))

    def resume(self) -> int:
        """Finish or invalidate orders whose process gave up or died; returns how many were taken up."""
        claim = secrets.token_hex(16)
        now = self._clock.now()
        taken = self._store.orders.stranded(claim=claim, at=now, until=now + LEASE)
        for order, key_hash in taken:
            account = self._store.accounts.account(order.account)
            made = self._made(order, key_hash)
            if account is None or account.state is AccountState.REVOKED:
                self._end(order, claim, Problem(Type.UNAUTHORIZED, "the account was revoked"))
            elif made is None:
                self._issue(account, order, order.csr, claim)
            elif made.standing is Standing.GOOD and made.der:
                self._finish(account, order, claim, made.serial)
            elif made.state is State.INTENDED and self._clock.now() - made.created < LEASE:
                self._store.orders.put_off(order.id, claim=claim, until=self._clock.now() + LEASE)
            else:
                self._end(order, claim, Problem(Type.SERVER_INTERNAL, "the certificate was not completed; order again"))
        return len(taken)

    def _made(self, order: Order, key_hash: str) -> Certificate | None:
        """What was made for this order before somebody died: the newest of its key that no other order has."""
        found, _ = self._certificates.certificates(key_hash=key_hash, limit=10)
        for each in found:
            fresh = each.actor == ACTOR and each.profile == order.profile
            since = each.created >= order.created.replace(microsecond=0)
            if (
                fresh
                and since
                and each.state is not State.ABANDONED
                and self._store.orders.of_serial(each.serial) is None
            ):
                return each
        return None

    def _issue(self, account: Account, order: Order, csr: bytes, claim: str) -> None:
        wish = IssueRequest(
            profile=order.profile,
            csr=csr,
            subject=account.grant.subject,
            actor=ACTOR,
            actor_roles=_ROLE,
            caller=f"acme:{account.id}",
            hosts=tuple(each.value for each in order.identifiers),
        )
        try:
            issued = self._authority.issue(wish)
        except Unavailable as error:
            # Nothing was signed; the order is taken up again.
            _log.warning("order_waits", order=order.id, code=error.code)
            self._store.orders.put_off(order.id, claim=claim, until=self._clock.now() + PAUSE)
        except Internal:
            self._end(order, claim, Problem(Type.SERVER_INTERNAL, "the certificate could not be made"))
            raise
        except TallygateError as error:
            type_ = Type.BAD_CSR if isinstance(error, KeyRefused | RequestRefused) else Type.UNAUTHORIZED
            self._end(order, claim, Problem(type_, error.detail))
        else:
            self._finish(account, order, claim, issued.serial)

    def _finish(self, account: Account, order: Order, claim: str, serial: str) -> None:
        event = about_order(account, at=self._clock.now(), serial=serial, order=order.id, profile=order.profile)
        if not self._store.orders.finish(order.id, claim=claim, serial=serial, note=note(event)):
            _log.warning("order_taken_over", order=order.id, serial=serial)
        self._nudge()

    def _end(self, order: Order, claim: str, problem: Problem) -> None:
        self._store.orders.invalidate(order.id, claim=claim, error=written(problem))


def written(problem: Problem) -> str:
    """A problem document as an order or challenge keeps it."""
    return json.dumps(problem.document(), separators=(",", ":"))


def _check(account: Account, order: Order, csr: bytes) -> str:
    """The hash of the requested key.

    Raises:
        Problem: not a request for exactly this order.
    """
    try:
        asked = read_request(csr, keys=frozenset(PROFILES[order.profile].keys))
        names = _names(x509.load_der_x509_csr(csr))
    except (RequestRefused, KeyRefused) as error:
        raise Problem(Type.BAD_CSR, error.detail) from error
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Problem(Type.BAD_CSR, "the request holds names that are no identifiers") from error
    if names != set(order.identifiers):
        raise Problem(Type.BAD_CSR, "the request names other identifiers than the order")
    if asked.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == key_of(account).public:
        raise Problem(Type.BAD_CSR, "the account's own key cannot be certified")
    return asked.key_hash


def _names(csr: x509.CertificateSigningRequest) -> set[Identifier]:
    found = set()
    for each in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        found.add(_identifier(str(each.value)))
    try:
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return found
    for name in names:
        if isinstance(name, x509.DNSName):
            found.add(dns_name(name.value))
        elif isinstance(name, x509.IPAddress):
            found.add(Identifier(Kind.IP, str(name.value)))
        else:
            raise ValueError("another kind of name")  # noqa: TRY004 - the content, not the type, is wrong
    return found


def _identifier(text: str) -> Identifier:
    try:
        return address(text)
    except ValueError:
        return dns_name(text)
