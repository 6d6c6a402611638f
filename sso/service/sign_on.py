# SPDX-License-Identifier: Apache-2.0
"""The verbs put together: one store, one way into the record, one clock."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from audit import Recorder
from core.clock import Clock

from ..config import SSOSettings
from ..factors.passkeys import Party
from ..oauth.rfc6749 import host_of, origin_of
from ..oauth.rfc7517 import KeyRing
from ..oauth.rfc8414 import metadata
from ..oauth.rfc9728 import resource_metadata
from ..store import Store
from .accesses import Accesses, Shown
from .account import Account, OwnProof, OwnRecord
from .admission import Admission
from .agreement import Agreement
from .answers import Answers
from .authentication import ClientAuthentication
from .authorization import Authorization
from .browsers import Browsers, Distance, Place
from .collaborators import Cards, DecideLogin, OwnEntry, People
from .confirming import Confirming
from .devices import Devices
from .entrusting import Directory, Entrusting
from .factors import Factors
from .goodbyes import Goodbyes, Tell
from .housekeeping import Housekeeping
from .inspection import Inspection
from .key_sets import KeySets
from .letters import Letters, Post
from .limits import Limits
from .locks import Locks, Uses
from .login import Login
from .logout import Logout
from .mandates import Mandates
from .news import News
from .nonces import Nonces
from .parking import Parking
from .passkeys import Passkeys
from .portals import Portals
from .possession import Possession
from .profile import Profile
from .raising import Raising
from .records import Records
from .recovery import Recoveries
from .registration import Registration
from .requests import Fetch, Requests
from .resets import Resets
from .simulator import PATH, Simulator, simulator_keys
from .subjects import Subjects
from .supervision import Supervision
from .tokens import Tokens
from .upstream import Exchange, Upstream


class SignOn:
    """Sign-on as the web room sees it."""

    def __init__(
        self,
        *,
        issuer: str,
        site: str,
        card_origin: str,
        tls_origin: str,
        store: Store,
        people: People,
        cards: Cards,
        machines: Cards,
        decide: DecideLogin,
        keys: KeyRing,
        recorder: Recorder,
        settings: SSOSettings,
        clock: Clock,
        entrusting: Directory,
        own_record: OwnRecord,
        own_proof: OwnProof,
        state_key: bytes,
        factor_key: bytes,
        fresh: Callable[[], None],
        nudge: Callable[[], None],
        fetch: Fetch,
        tell: Tell,
        exchange: Exchange,
        subject_key: bytes,
        own_entry: OwnEntry,
        shown: Shown,
        undeclared: Sequence[tuple[str, str]] = (),
        post: Post | None = None,
        distance: Distance = lambda _one, _other: None,
        place: Place = lambda _network: "",
        password_length: int = 12,
        reload_policies: Callable[[], object] = lambda: None,
        resources: Sequence[str] = (),
    ) -> None:
        """``fresh`` raises while the news of the record is stale; ``nudge`` wakes the outbox's relay.

        ``state_key`` is a secret of this role alone, the same in all its processes: it seals what browsers carry.
        ``factor_key`` is another: it seals what the tables hold of people's second factors, and must be kept with them.
        ``tls_origin`` is where clients show certificates, ``machines`` who can say whose they are.
        ``undeclared`` are hosts and paths that show people's records and do not say whose before.
        ``shown`` knows whom the gateway let in at a host by the header that the host was asked with.
        ``entrusting`` are the directory's doors for mandates that people give themselves.
        ``fetch`` and ``tell`` are the one way out, to addresses that clients registered; ``exchange`` to the provider
        that the site has an agreement with.
        ``subject_key`` is another secret, never to be changed: identifiers of people at clients follow from it.
        ``own_entry`` is how people's own entries are changed, ``post`` brings letters and is None without mail;
        ``distance`` knows places, ``password_length`` is the fewest characters that the directory takes.
        ``site`` is the name people find this place by in their apps, ``resources`` the hosts that take tokens.
        """
        records = Records(recorder=recorder, clock=clock, key=state_key)
        parking = Parking(key=state_key, clock=clock, lifetime=settings.interaction_lifetime)
        self.records, self.undeclared = records, undeclared
        self.browser_days = settings.browser_lifetime.days
        self.issuer = issuer
        self.card_origin, self.tls_origin = card_origin, tls_origin
        self.metadata: dict[str, Any] = metadata(issuer, tls_origin, resources)
        self.resource_metadata = resource_metadata(issuer)
        self._keys = keys
        self.factors = Factors(
            site=site,
            store=store,
            records=records,
            settings=settings,
            clock=clock,
            state_key=state_key,
            factor_key=factor_key,
            fresh=fresh,
            nudge=nudge,
        )
        self.passkeys = Passkeys(
            party=Party(host=host_of(issuer), origin=origin_of(issuer), title=site),
            store=store,
            records=records,
            factors=self.factors,
            settings=settings,
            clock=clock,
            state_key=state_key,
            fresh=fresh,
            nudge=nudge,
        )
        limits = Limits(store=store, settings=settings, clock=clock)
        self.recoveries = Recoveries(
            issuer=issuer,
            own=own_entry,
            people=people,
            store=store,
            records=records,
            factors=self.factors,
            limits=limits,
            settings=settings,
            clock=clock,
            state_key=state_key,
            fresh=fresh,
            nudge=nudge,
        )
        self.letters = Letters(
            site=site,
            issuer=issuer,
            store=store,
            people=people,
            post=post,
            state_key=state_key,
            clock=clock,
            before=self._due,
        )
        self.recoveries.write_by(self.letters)
        self.resets = Resets(
            issuer=issuer,
            people=people,
            store=store,
            records=records,
            factors=self.factors,
            letters=self.letters,
            settings=settings,
            clock=clock,
            state_key=state_key,
            fresh=fresh,
            nudge=nudge,
        )
        self.supervision = Supervision(
            people=people,
            store=store,
            records=records,
            resets=self.resets,
            own_record=own_record,
            clock=clock,
            nudge=nudge,
        )
        self.profile = Profile(
            own=own_entry,
            store=store,
            records=records,
            factors=self.factors,
            letters=self.letters,
            limits=limits,
            clock=clock,
            password_length=password_length,
            nudge=nudge,
        )
        self.browsers = Browsers(
            store=store,
            records=records,
            letters=self.letters,
            settings=settings,
            clock=clock,
            distance=distance,
            place=place,
            nudge=nudge,
        )
        self.login = Login(
            store=store,
            people=people,
            cards=cards,
            decide=decide,
            records=records,
            parking=parking,
            factors=self.factors,
            passkeys=self.passkeys,
            browsers=self.browsers,
            settings=settings,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.confirming = Confirming(
            store=store,
            records=records,
            passkeys=self.passkeys,
            settings=settings,
            clock=clock,
            fresh=fresh,
        )
        self.raising = Raising(
            store=store,
            people=people,
            decide=decide,
            records=records,
            factors=self.factors,
            passkeys=self.passkeys,
            settings=settings,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.upstream = Upstream(
            issuer=issuer,
            store=store,
            keys=keys,
            login=self.login,
            factors=self.factors,
            parking=parking,
            records=records,
            settings=settings,
            clock=clock,
            fetch=fetch,
            exchange=exchange,
            state_key=state_key,
            factor_key=factor_key,
            fresh=fresh,
            nudge=nudge,
        )
        admission = Admission(people=people, decide=decide, records=records, clock=clock)
        agreement = Agreement(store=store, records=records, settings=settings, clock=clock, fresh=fresh, nudge=nudge)
        subjects = Subjects(key=subject_key)
        key_sets = KeySets(fetch=fetch, clock=clock)
        self.mandates = Mandates(people=people, clients=store.clients)
        self.accesses = Accesses(
            store=store,
            people=people,
            mandates=self.mandates,
            subjects=subjects,
            records=records,
            shown=shown,
            fresh=fresh,
        )
        self.entrusting = Entrusting(
            people=people,
            directory=entrusting,
            factors=self.factors,
            limits=limits,
            key=state_key,
            clock=clock,
            fresh=fresh,
        )
        self.nonces = Nonces(key=state_key, clock=clock)
        possession = Possession(store=store, nonces=self.nonces, clock=clock)
        self.requests = Requests(
            issuer=issuer,
            store=store,
            clock=clock,
            fetch=fetch,
            lifetime=settings.pushed_lifetime,
            keyed=key_sets.keyed,
            keys=keys,
            possession=possession,
        )
        self.authorization = Authorization(
            store=store,
            requests=self.requests,
            answers=Answers(issuer=issuer, keys=keys, clock=clock),
            records=records,
            parking=parking,
            admission=admission,
            agreement=agreement,
            mandates=self.mandates,
            subjects=subjects,
            settings=settings,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.devices = Devices(
            issuer=issuer,
            store=store,
            records=records,
            admission=admission,
            agreement=agreement,
            mandates=self.mandates,
            limits=limits,
            possession=possession,
            settings=settings,
            clock=clock,
            key=state_key,
            fresh=fresh,
            nudge=nudge,
        )
        uses = Uses(store=store, clock=clock)
        self.clients = ClientAuthentication(
            issuer=issuer, store=store, machines=machines, key_sets=key_sets, clock=clock, uses=uses
        )
        self.locks = Locks(
            people=people,
            store=store,
            records=records,
            key_sets=key_sets,
            letters=self.letters,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.registration = Registration(
            issuer=issuer,
            store=store,
            records=records,
            limits=limits,
            fetch=fetch,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.portals = Portals(
            store=store,
            people=people,
            records=records,
            letters=self.letters,
            limits=limits,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.goodbyes = Goodbyes(
            issuer=issuer,
            store=store,
            keys=keys,
            subjects=subjects,
            records=records,
            tell=tell,
            hourly=settings.goodbyes_hourly,
            clock=clock,
            nudge=nudge,
        )
        self.tokens = Tokens(
            issuer=issuer,
            store=store,
            people=people,
            keys=keys,
            subjects=subjects,
            keyed=key_sets.keyed,
            possession=possession,
            mandates=self.mandates,
            refresh_key=state_key,
            records=records,
            settings=settings,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.inspection = Inspection(
            issuer=issuer,
            store=store,
            people=people,
            keys=keys,
            subjects=subjects,
            keyed=key_sets.keyed,
            possession=possession,
            mandates=self.mandates,
            records=records,
            clock=clock,
            fresh=fresh,
            nudge=nudge,
        )
        self.logout = Logout(
            issuer=issuer, store=store, keys=keys, subjects=subjects, records=records, clock=clock, nudge=nudge
        )
        simulated, invented_keys = f"{issuer}{PATH}", simulator_keys(state_key)
        self.simulator = Simulator(
            issuer=simulated,
            tls_origin=tls_origin,
            store=store,
            keys=invented_keys,
            key=state_key,
            requests=Requests(
                issuer=simulated,
                store=store,
                clock=clock,
                fetch=fetch,
                lifetime=settings.pushed_lifetime,
                keyed=key_sets.keyed,
                keys=invented_keys,
                possession=possession,
            ),
            clients=ClientAuthentication(
                issuer=simulated,
                store=store,
                machines=machines,
                key_sets=key_sets,
                clock=clock,
                uses=uses,
                test=True,
            ),
            possession=possession,
            subjects=subjects,
            keyed=key_sets.keyed,
            records=records,
            limits=limits,
            settings=settings,
            clock=clock,
            pause=time.sleep,
        )
        self.account = Account(
            store=store,
            records=records,
            mandates=self.mandates,
            clock=clock,
            own_record=own_record,
            own_proof=own_proof,
            nudge=nudge,
        )
        self.housekeeping = Housekeeping(store=store, records=records, clock=clock, nudge=nudge, chores=[uses.write])
        self.news = News(
            store=store,
            records=records,
            clock=clock,
            nudge=nudge,
            reload_policies=reload_policies,
            recoveries=self.recoveries,
        )

    def _due(self) -> None:
        """What people wait for, and is due."""
        self.recoveries.post()
        self.resets.finish_due()
        self.portals.remind()

    @property
    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The keys that are believed now, the signing one first."""
        return self._keys.jwks()
