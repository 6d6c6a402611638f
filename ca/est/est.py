# SPDX-License-Identifier: Apache-2.0
"""The operations of EST, each one straight way: who asks, what is asked, the whole ceremony, one answer."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates

from audit import Outcome, Recorder
from audit.models import Attribute
from core.clock import Clock
from core.config import ConfigurationError
from core.errors import N_, Internal, Kind, TallygateError

from ..config import EstSettings
from ..errors import DeviceUnidentified, KeyRefused, NamesRefused, NoSuchLabel, RequestRefused
from ..hierarchy import Hierarchy
from ..models import Issued, IssueRequest, Standing, serial_hex
from ..service import CertificateAuthority, DirectorySource, KeyDelivery, self_request
from ..store import Store as AuthorityStore
from ..verifier import CertificateVerifier
from ..x509 import PROFILES, Algorithm, Hosts, Profile, SubjectKind, generate
from ..x509.deliveries import ContentCipher
from .attributes import attributes
from .callers import Callers
from .enrolments import Enrolments
from .limits import Limits
from .models import Call, Caller, Generated
from .notes import ACTOR, event, note
from .requests import Asked, Own, alternatives, check_names, host_of, read, same_names
from .store import Store
from .waiting import Later, NoQueue, Queue, Said

NO_QUEUE = NoQueue()

_ROLE = frozenset({ACTOR})
_MADE = {"RSA": Algorithm.RSA3072}
_NOTED = frozenset({Kind.UNAUTHENTICATED, Kind.FORBIDDEN})


class Est:
    """The verbs; every collaborator comes by keyword. ``key`` is the role's own secret.

    Raises:
        ConfigurationError: a label stands for what is no device's, or for what two officers approve.
    """

    def __init__(
        self,
        *,
        store: Store,
        certificates: AuthorityStore,
        authority: CertificateAuthority,
        verifier: CertificateVerifier,
        directory: DirectorySource,
        recorder: Recorder,
        clock: Clock,
        settings: EstSettings,
        country: str,
        key: bytes,
        public: Path,
        delivery: KeyDelivery,
        queue: Queue = NO_QUEUE,
        nudge: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.profiles = _profiles(settings)
        self._store = store
        self._certificates = certificates
        self._authority = authority
        self._directory = directory
        self._clock = clock
        self._country = country
        self._public = public
        self._delivery = delivery
        self._queue = queue
        self._nudge = nudge
        self._limits = Limits(store=store, clock=clock, settings=settings)
        self.enrolments = Enrolments(
            store=store,
            recorder=recorder,
            clock=clock,
            settings=settings,
            profiles=self.profiles,
            directory=directory,
            key=key,
            nudge=nudge,
        )
        self._callers = Callers(
            enrolments=self.enrolments,
            limits=self._limits,
            verifier=verifier,
            status=authority.status,
            clock=clock,
        )

    def authorities(self, label: str) -> bytes:
        """Roots, and every generation of what signs for devices that its root still vouches for; certs-only, DER.

        Raises:
            NoSuchLabel: devices enrol under other labels.
        """
        profile = self._profile(label)
        hierarchy = Hierarchy.load(self._public)
        issuers = [
            each.certificate
            for each in hierarchy.issuers.values()
            if each.name.kind in profile.issuers and not each.withdrawn
        ]
        return _certs_only([*(each.certificate for each in hierarchy.roots.values()), *issuers])

    def attributes(self, label: str) -> bytes:
        """What a request for this label should hold; CsrAttrs, DER.

        Raises:
            NoSuchLabel: devices enrol under other labels.
        """
        return attributes(self._profile(label))

    def enroll(self, call: Call) -> bytes | Later:
        """A first certificate, or another one of the kind presented; certs-only, DER. Or the word to ask again.

        Raises:
            TallygateError: nothing was issued.
        """
        profile = self._profile(call.label)
        caller = self._identify(call, profile)
        asked, hosts = self._asked(call, caller, profile)
        if self._queued(call):
            return self._decided(call, caller, profile, asked)
        return _answer(self._issue(call, caller, profile, asked.der, hosts))

    def reenroll(self, call: Call) -> bytes:
        """A new certificate in place of the one presented, or of another one of the same device; certs-only, DER.

        Raises:
            TallygateError: nothing was issued.
        """
        profile = self._profile(call.label)
        caller = self._identify(call, profile, renewing=True)
        asked = read(call.body, call.content_type, keys=frozenset(profile.keys))
        try:
            old = self._renewed(caller, profile, asked)
            if asked.request.key == old.public_key() and not self.settings.reuse_keys:
                raise KeyRefused(why=N_("a new certificate needs a new key"))
        except TallygateError as error:
            self._refused(call, error, device=caller.device)
            raise
        hosts = tuple(sorted(filter(None, map(host_of, alternatives(old.extensions)))))
        return _answer(self._issue(call, caller, profile, asked.der, hosts, replaces=serial_hex(old.serial_number)))

    def generate(self, call: Call) -> Generated:
        """A key of the kind that the request was signed with, and its certificate.

        The key is made here and is nowhere when this returns but in what is returned.

        Raises:
            TallygateError: nothing was issued, and the key is gone.
        """
        profile = self._profile(call.label)
        caller = self._identify(call, profile)
        if self._queued(call):
            raise NamesRefused(why=N_("an officer decides about each request here, and nobody has made that key yet"))
        if not self.settings.server_keys:
            raise NamesRefused(why=N_("keys are made by devices themselves here"))
        asked, hosts = self._asked(call, caller, profile)
        closed_for = self._recipient(caller, asked)
        key = generate(_MADE.get(asked.request.algorithm) or Algorithm(asked.request.algorithm))
        issued = self._issue(call, caller, profile, self_request(key), hosts)
        plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        if closed_for is None:
            return Generated(key=plain, encrypted=False, certificate=_answer(issued))
        recipient, cipher = closed_for
        closed = self._delivery.enclose(plain, recipient=recipient, cipher=cipher)
        return Generated(key=closed, encrypted=True, certificate=_answer(issued))

    def _recipient(self, caller: Caller, asked: Asked) -> tuple[x509.Certificate, ContentCipher] | None:
        """Whose key opens what is delivered; None if it is not to be closed (RFC 7030 section 4.4.1)."""
        if asked.decrypt_key is None:
            return None
        for each in self._held(caller):
            if _identifier(each) == asked.decrypt_key and _decrypts(each):
                return each, self._cipher(asked)
        # RFC 7030 section 4.4.1.2: without that key nothing is made.
        raise RequestRefused(why=N_("it asks for encryption to a key that is not this device's, or cannot decrypt"))

    @staticmethod
    def _cipher(asked: Asked) -> ContentCipher:
        if asked.ciphers is None:
            return ContentCipher.AES_256_CBC
        if not asked.ciphers:
            raise RequestRefused(why=N_("none of the ciphers it names is known here"))
        return asked.ciphers[0]

    def _held(self, caller: Caller) -> Iterator[x509.Certificate]:
        """The good certificates of a device."""
        found, _ = self._authority.certificates(caller.device)
        for each in found:
            if each.standing is Standing.GOOD and each.der and not self._authority.expired(each):
                yield x509.load_der_x509_certificate(each.der)

    def _queued(self, call: Call) -> bool:
        return (call.label or self.settings.default_label) in self.settings.queued

    def _decided(self, call: Call, caller: Caller, profile: Profile, asked: Asked) -> bytes | Later:
        """What officers have made of this very request; the secret is spent when its certificate is handed over."""
        by = f"EST {caller.enrolment.id}, {caller.enrolment.officer}" if caller.enrolment else "EST, certificate"
        decision = self._queue.ask(device=caller.device, profile=profile.name, csr=asked.der, reference=by)
        if decision.said is Said.NOTHING_YET:
            return Later(self.settings.queue_pause)
        if decision.said is Said.NO:
            error = NamesRefused(why=decision.reason or N_("an officer has denied this request"))
            self._refused(call, error, device=caller.device)
            raise error
        self._use(call, caller)
        found = self._authority.certificate(decision.serial)
        self._enrolled(call, caller, profile, decision.serial)
        return _certs_only([x509.load_der_x509_certificate(found.der)])

    def _profile(self, label: str) -> Profile:
        profile = self.profiles.get(label or self.settings.default_label)
        if profile is None:
            raise NoSuchLabel
        return profile

    def _identify(self, call: Call, profile: Profile, *, renewing: bool = False) -> Caller:
        label = call.label or self.settings.default_label
        try:
            caller = self._callers.identify(call, label=label)
            if renewing and caller.certificate is None:
                # RFC 7030 section 3.3.2 lets others in where certificates cannot serve; here every device has one.
                raise DeviceUnidentified
            if not renewing and caller.enrolment is None and caller.profile != profile.name:
                raise NamesRefused(why=N_("its certificate is of another kind; an officer has to enrol it"))
            self._limits.certificate(caller.device)
        except TallygateError as error:
            if call.unverified_authorization or call.unverified_certificate:
                self._refused(call, error)
            raise
        return caller

    def _asked(self, call: Call, caller: Caller, profile: Profile) -> tuple[Asked, tuple[str, ...]]:
        """The request, all of whose names are the device's own, and the hosts that are to be certified."""
        asked = read(call.body, call.content_type, keys=frozenset(profile.keys))
        granted = caller.enrolment.hosts if caller.enrolment else ()
        try:
            if caller.enrolment is None and profile.hosts is Hosts.REQUIRED:
                raise NamesRefused(why=N_("an officer has to say what a server is called"))
            check_names(asked, self._own(caller.device, granted))
        except TallygateError as error:
            self._refused(call, error, device=caller.device)
            raise
        return asked, asked.hosts or granted

    def _own(self, identifier: str, hosts: Iterable[str]) -> Own:
        device = self._directory.device(identifier)
        names: set[str] = set()
        if device.organisation:
            owner = self._directory.organisation(device.organisation)
            names = {each for each in (owner.name, owner.name_zh) if each}
        return Own(
            id=identifier,
            name=device.name,
            organisation=frozenset(names),
            country=self._country,
            hosts=frozenset(hosts),
        )

    def _renewed(self, caller: Caller, profile: Profile, asked: Asked) -> x509.Certificate:
        """The certificate whose names the request repeats."""
        if caller.certificate is not None and caller.profile == profile.name:
            candidates = [caller.certificate]
        else:
            found, _ = self._authority.certificates(caller.device)
            candidates = [
                x509.load_der_x509_certificate(each.der)
                for each in found
                if each.profile == profile.name
                and each.standing is Standing.GOOD
                and each.der
                and not self._authority.expired(each)
            ]
        for each in candidates:
            if same_names(asked, each):
                return each
        raise NamesRefused(why=N_("subject and alternative names are not those of the certificate to renew"))

    def _issue(
        self,
        call: Call,
        caller: Caller,
        profile: Profile,
        csr: bytes,
        hosts: tuple[str, ...],
        *,
        replaces: str = "",
    ) -> Issued:
        """Use the enrolment, hold the ceremony, tell the record. A use that brought nothing is given back."""
        enrolment = caller.enrolment
        self._use(call, caller)
        wish = IssueRequest(
            profile=profile.name,
            csr=csr,
            subject=caller.device,
            actor=ACTOR,
            actor_roles=_ROLE,
            caller=f"est:{enrolment.id}" if enrolment else "est",
            hosts=hosts,
        )
        try:
            issued = self._authority.issue(wish)
        except Internal:
            # Bytes may exist that nobody was given: that use is spent.
            raise
        except TallygateError:
            if enrolment is not None:
                self._store.give_back(enrolment.id)
            raise
        self._enrolled(call, caller, profile, issued.serial, replaces=replaces)
        return issued

    def _use(self, call: Call, caller: Caller) -> None:
        enrolment = caller.enrolment
        if enrolment is not None and not self._store.take(enrolment.id, at=self._clock.now()):
            # Somebody was quicker with the same secret.
            error = DeviceUnidentified()
            self._refused(call, error, device=caller.device)
            raise error

    def _enrolled(self, call: Call, caller: Caller, profile: Profile, serial: str, *, replaces: str = "") -> None:
        said: dict[str, Attribute] = {
            "operation": call.operation,
            "label": call.label or self.settings.default_label,
            "credential": caller.credential,
            "profile": profile.name,
        }
        if caller.enrolment is not None:
            said["enrolment"] = caller.enrolment.id
        if replaces:
            said["replaces"] = replaces
        done = event(
            "ca.est.enrolled",
            Outcome.SUCCESS,
            at=self._clock.now(),
            subject=caller.device,
            object_=serial,
            attributes=said,
        )
        self._certificates.outbox_put(note(done))
        self._nudge()

    def _refused(self, call: Call, error: TallygateError, *, device: str = "") -> None:
        """Tell the record who was turned away; the ceremony tells of its own refusals."""
        if error.kind not in _NOTED and not isinstance(error, KeyRefused):
            return
        said: dict[str, Attribute] = {
            "operation": call.operation,
            "label": (call.label or self.settings.default_label)[:64],
            "code": error.code,
            "credential": "secret" if call.unverified_authorization else "certificate",
        }
        refusal = event("ca.est.refused", Outcome.DENIED, at=self._clock.now(), subject=device, attributes=said)
        self._certificates.outbox_put(note(refusal))
        self._nudge()


def _identifier(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _decrypts(certificate: x509.Certificate) -> bool:
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    return isinstance(certificate.public_key(), rsa.RSAPublicKey) and usage.key_encipherment


def _profiles(settings: EstSettings) -> dict[str, Profile]:
    found = {}
    for label, name in settings.labels.items():
        profile = PROFILES.get(name)
        if profile is None or profile.subject is not SubjectKind.DEVICE or ACTOR not in profile.requesters:
            raise ConfigurationError(where=f"ca.est.labels.{label}", why="no profile that devices may ask for")
        if label in settings.queued and profile.hosts is not Hosts.NONE:
            raise ConfigurationError(where=f"ca.est.labels.{label}", why="the desk decides about no hosts")
        if profile.approvals > 1 and label not in settings.queued:
            raise ConfigurationError(
                where=f"ca.est.labels.{label}", why="two officers have to approve such certificates"
            )
        found[label] = profile
    return found


def _certs_only(certificates: list[x509.Certificate]) -> bytes:
    return serialize_certificates(certificates, Encoding.DER)


def _answer(issued: Issued) -> bytes:
    """Only the certificate itself (RFC 7030 section 4.2.3); the chain is at cacerts."""
    return _certs_only([x509.load_pem_x509_certificate(issued.certificate)])
