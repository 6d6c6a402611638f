# SPDX-License-Identifier: Apache-2.0
"""The audit role over a log in memory: a day of a small city, an officer to read it, and the Flask application."""

import base64
import itertools
import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from audit.alerts import AlertDesk, AlertStore
from audit.cases import CaseStore, Grade, Incidents, Terms
from audit.config import ExportKind, ExportTarget, Personal
from audit.console import (
    Console,
    Histories,
    IndexCounting,
    Mirroring,
    Overview,
    SavedSearches,
    Scopes,
    Stories,
    Switchboard,
    Views,
    Warranting,
    concerned,
)
from audit.exports import ExportDesk, ExportStore
from audit.indexer import Indexer
from audit.intake import Intake
from audit.lineage import trust_root
from audit.merkle import CosignerKey, LogKey
from audit.models import Event, Outcome, Reader
from audit.search import NameTokens, Row, Vocabulary, row_of
from audit.search.words import told
from audit.stamps import LogStamps, StampSeries, StampStore
from audit.store import IndexChecked, IndexStore, SavedStore
from audit.warrants import Erasing, Holding, Scope, State, Switching, Warrants, WarrantStore, switch_of
from audit.web import (
    TRANSLATIONS,
    Clause,
    Standards,
    alerting,
    blueprint,
    casework,
    changing,
    complying,
    exporting,
    mirrored,
    overseeing,
    public,
    reading,
    retention_pages,
    saving,
    stamping,
    switching,
    taking,
    telling,
    warranting,
    witnessing,
)
from audit.witness import Witness, WitnessStore
from core.calls import PairSecrets
from core.errors import Forbidden
from core.identity import HEADER, Identity, IdentityIssuer, IdentityVerifier
from core.site import Ports, SiteSettings
from core.web import Guard, chinese_words, create
from directory.models import APART
from tests.fakes.clock import ManualClock
from tests.fakes.memory_log import MemoryLog
from tests.fakes.retention_house import RetentionHouse

HOST = "audit.city.localhost"
LI = "0b6fd1de-9f0a-4d0c-8a51-6c4e0f3a7001"
WANG = "5a1a8a52-36b5-4e36-8f64-0d6a3d5b7002"
OFFICER = "77c9a8b0-1d7e-4b5f-9e0e-2f8f5c1d7003"
SECOND = "4c1d7c1e-6a55-4f0c-9b52-3f0f8f5c7004"
"""Another officer."""
WITNESSED = LogKey("other.example/log", seed=b"\x05" * 32, mldsa_seed=b"\x06" * 32)
"""The log of another site, which this one witnesses."""
SECRETS = {"app": b"a" * 32, "directory": b"d" * 32, "sso": b"s" * 32}
_KEY = ec.generate_private_key(ec.SECP256R1())
TERMS = Terms(
    first={grade: timedelta(hours=grade.value) for grade in Grade},
    follow_up=dict.fromkeys(Grade, timedelta(hours=24)),
    closing=timedelta(days=30),
)
_NUMBERS = itertools.count(1)
_VOCABULARY = Vocabulary(told(chinese_words([TRANSLATIONS])))


def event(clock: ManualClock, **fields: Any) -> Event:
    """One event now, with a good default for everything."""
    given: dict[str, Any] = {
        "key": f"{next(_NUMBERS):032x}",
        "type": "gateway.decision",
        "outcome": Outcome.SUCCESS,
        "at": clock.now(),
        "source": "gateway",
        "zone": "external",
        "decision": "d0",
    }
    return Event(**given | fields)


class ConsoleFake:
    """Everything of the audit role but the real log; tests change one thing of it."""

    def __init__(self, folder: Path, *, assurance: int = 1, span: int = 50) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.log = MemoryLog()
        self.names = NameTokens(b"n" * 32)
        self.store = IndexStore.open(folder / "index", span=span)
        self.store.prepare()
        self.indexer = Indexer(log=self.log, store=self.store, names=self.names)
        self.store_of_warrants = WarrantStore.open(folder / "warrants.db")
        self.cases = Incidents(
            store=CaseStore.open(folder / "cases.db"),
            key=b"c" * 32,
            recorder=self.log,
            clock=self.clock,
            size=self.log.size,
            concerned=lambda place: concerned(self.log, place),
            shut_under=self._shut_under,
        )
        self.alerts = AlertStore.open(folder / "alerts.db")
        scopes = Scopes(
            log=self.log, index=self.store, names=self.names, cases=self.cases, in_alert=self.alerts.entries
        )
        self.warrants = Warrants(
            store=self.store_of_warrants,
            recorder=self.log,
            clock=self.clock,
            persons=scopes.persons,
        )
        self.holding = Holding(store=self.store_of_warrants, recorder=self.log, clock=self.clock)
        self.switchable = ["writing", "portal=tax", "portal=social", "zones=external:internal", "client=tax"]
        self.switching = Switching(
            store=self.store_of_warrants,
            recorder=self.log,
            clock=self.clock,
            exists=lambda name: name in self.switchable,
        )
        self.erasing = Erasing(
            store=self.store_of_warrants,
            recorder=self.log,
            clock=self.clock,
            destroy=self._destroy,
            forget=self.store.forget,
            alone=nullcontext,
        )
        self.console = Console(
            warrants=self.warrants,
            scopes=scopes,
            log=self.log,
            index=self.store,
            indexer=self.indexer,
            names=self.names,
            recorder=self.log,
            clock=self.clock,
            vocabulary=_VOCABULARY,
        )
        self.warranting = Warranting(
            self.console,
            warrants=self.warrants,
            holding=self.holding,
            acts={
                "erase": self.erasing.erase,
                "hold": self.holding.place,
                "release": self.holding.release,
                "shut": self.switching.throw,
                "reopen": self.switching.throw,
            },
            sensible=self.switching.sensible,
        )
        self.witness = Witness(
            key=CosignerKey("city.localhost/witness", seed=b"\x09" * 32, mldsa_seed=b"\x0a" * 32),
            logs=[WITNESSED.vkey],
            store=WitnessStore.open(folder / "witness.db"),
            recorder=self.log,
            clock=self.clock,
        )
        self.on_paper: Callable[[Standards], bytes] = lambda _found: b"%PDF-"
        self.standards: list[tuple[str, list[Clause]]] = []
        self.stamps = StampStore.open(folder / "stamps.db")
        self.series = StampSeries([LogStamps(name="log", base=0, store=self.stamps)])
        self.alert_desk = AlertDesk(store=self.alerts, recorder=self.log, clock=self.clock)
        self.export_store = ExportStore.open(folder / "exports.db")
        self.exports = ExportDesk(
            {
                "siem": ExportTarget(
                    kind=ExportKind.SYSLOG, address="tls://siem.city.localhost:6514", events=("sso.*", "ca.*")
                ),
                "court": ExportTarget(
                    kind=ExportKind.OCSF, address="file:///var/log/tallygate/court.jsonl", personal=Personal.OPENED
                ),
            },
            store=self.export_store,
            size=self.log.size,
            recorder=self.log,
            clock=self.clock,
        )
        self.consented = True
        # The list of the site's logs.
        self.known = trust_root([(WITNESSED, "https://log.other.example")])
        # A log of its own each time: a role that starts again has the tables of before, and this is no table.
        self.retention = RetentionHouse(Path(tempfile.mkdtemp(dir=folder, prefix="kept-")))
        self.saved = SavedStore.open(folder / "saved.db", key=b"n" * 32)
        self.searches = SavedSearches(self.console, store=self.saved, clock=self.clock)
        self.reader = Reader(
            subject=OFFICER,
            session="s-officer",
            zone="management",
            decision="d-officer",
            roles=frozenset({"security-officer"}),
        )
        self.app = self._app(folder, assurance)

    def consents(self, _reader: Reader, _target: str) -> str:
        """A warrant of two officers, where there is one."""
        if not self.consented:
            raise Forbidden
        return "00ff00ff00ff00ff"

    def fill(self) -> None:
        """A day with everything an officer looks for; entry 0 is the log's own."""
        self.clock.advance(timedelta(hours=-20))
        self.add(type="log.created", source="audit", object="city.example/log", zone="", decision="")
        li = {"name": "Li Xiaoming", "name_zh": "李晓明", "username": "lixiaoming", "address": "203.0.113.7"}
        li_at = {"name": "Li Xiaoming", "address": "203.0.113.7", "path": "/declarations?year=2025"}
        wang = {"name": "Wang Fang", "name_zh": "王芳", "username": "wangfang", "address": "198.51.100.20"}
        how = {"reason": "allowed", "assurance": 1, "method": "GET", "credential": "session", "to_zone": "external"}
        for hour in range(20):
            self.clock.advance(timedelta(hours=1))
            for _ in range(1 + hour % 4):
                self.add(subject=LI, session="s-li", object="tax", policy="7", decision=f"d{next(_NUMBERS):031x}",
                         attributes=how | {"policies": "citizen-portal zone-external"}, sealed=li_at)  # fmt: skip
            self.add(type="sso.login", source="sso", subject=LI, session="s-li", object="tax", sealed=li,
                     attributes={"amr": "pwd", "acr": "1"})  # fmt: skip
        self.add(subject=WANG, session="s-wang", object="documents", outcome=Outcome.DENIED, policy="7",
                 decision="d0d0d0d0", sealed=wang,
                 attributes=how | {"reason": "zone", "policies": "office-internal-only"})  # fmt: skip
        self.add(
            object="documents", outcome=Outcome.DENIED, attributes={"reason": "login", "network": "203.0.113.0/24"}
        )
        self.add(type="ca.certificate.suspended", source="ca", subject=WANG, actor=OFFICER, object="1f2e3d4c5b6a",
                 zone="management", organisation="org-tax-bureau", attributes={"issuer": "people"},
                 sealed={"name": "Wang Fang", "object_name": "Fang of the Tax Bureau", "actor_name": "Zhao Min",
                         "reason": "card reported lost"})  # fmt: skip

    def grant(self, scope: str, *, kind: str = "open") -> str:
        """A second officer lets the officer do what needs two; the warrant's identifier."""
        asked = self.warrants.ask(self.reader, kind, Scope.parse(scope), "for a test")
        roles = frozenset({"security-officer"} if kind in {"open", "export"} else {"audit-administrator"})
        self.warrants.approve(Reader(subject=SECOND, roles=roles), asked.id)
        return asked.id

    def _shut_under(self, warrant: str) -> str:
        found = self.warrants.find(warrant)
        return switch_of(found.scope)[0] if found.kind == "shut" and found.state is State.USED else ""

    def _destroy(self, subject: str, _at: datetime) -> int:
        self.log.erase(subject)
        return 1

    def add(self, **fields: Any) -> int:
        """Put one event straight into the log."""
        return self.log.record(event(self.clock, **fields)).index

    def log_row(self, index: int) -> Row:
        """What the index would hold of one entry."""
        return row_of(self.log.read(index, 1)[0])

    def get(self, path: str, *, roles: tuple[str, ...] = ("security-officer",), **more: Any) -> TestResponse:
        """Ask as an officer, through the gateway."""
        headers = {HEADER: self.header(path, roles=roles, **more)}
        return self.client().get(path, headers=headers, environ_overrides={"REQUEST_URI": path})

    def peer(self, path: str, *, caller: str) -> TestResponse:
        """Ask as a role of the site."""
        secret = base64.b64encode(SECRETS[caller]).decode()
        return self.client().get(path, headers={"Tallygate-Caller": caller, "Tallygate-Secret": secret})

    def public(self, path: str, headers: Mapping[str, str] | None = None) -> TestResponse:
        """Ask as anybody."""
        return self.client().get(path, headers=headers, environ_overrides={"REQUEST_URI": path})

    def client(self) -> FlaskClient:
        return self.app.test_client()

    def post(self, path: str, form: Mapping[str, str], **who: Any) -> TestResponse:
        """Send a form of a page that was just shown."""
        client = self.client()
        shown = client.get(
            "/warrants/new",
            headers={HEADER: self.header("/warrants/new", **who)},
            environ_overrides={"REQUEST_URI": "/warrants/new"},
        )
        token = re.search(r'name="csrf_token" value="([^"]+)"', shown.text)
        given = {**form, "csrf_token": token[1] if token else ""}
        headers = {HEADER: self.header(path, method="POST", **who)}
        return client.post(path, data=given, headers=headers, environ_overrides={"REQUEST_URI": path})

    def header(
        self,
        path: str,
        *,
        roles: tuple[str, ...] = ("security-officer",),
        assurance: int = 2,
        subject: str = OFFICER,
        method: str = "GET",
    ) -> str:
        """What the gateway would add for this officer."""
        who = Identity(
            subject=subject,
            kind="person",
            session="s-officer",
            roles=frozenset(roles),
            assurance=assurance,
            methods=("x509",),
            zone="management",
            decision="d-officer",
        )
        issuer = IdentityIssuer(_KEY)
        return issuer.issue(who, audience=HOST, method=method, path=path, at=self.clock.now())

    def _app(self, folder: Path, assurance: int) -> Flask:
        guard = Guard(
            clock=self.clock,
            pairs=PairSecrets(SECRETS),
            verifier=IdentityVerifier(_KEY.public_key(), audience=HOST),
            apart=APART,
        )
        site = SiteSettings(
            name="city",
            domain="city.localhost",
            title="Sample City",
            title_zh="示范市",
            state=folder,
            ports=Ports(external=8443, internal=8444, management=8445, plain=8080, ldaps=8636),
        )
        counting = IndexCounting(self.store)
        overview = Overview(
            self.console,
            index=self.store,
            counting=counting,
            clock=self.clock,
            stamps=self.series,
            checked=lambda: IndexChecked.read(folder),
        )
        views = Views(self.console, index=self.store, counting=counting, clock=self.clock)
        return create(
            "audit",
            site=site,
            guard=guard,
            session_key=b"k" * 32,
            blueprints=[
                blueprint(
                    guard,
                    [
                        reading(self.console, searches=self.searches, assurance=assurance),
                        changing(Histories(self.console, index=self.store, log=self.log)),
                        saving(self.searches, assurance=assurance),
                        overseeing(self.console, overview=overview, views=views, assurance=assurance),
                        telling(Stories(self.console, index=self.store), assurance=assurance),
                        casework(
                            self.console,
                            cases=self.cases,
                            terms=TERMS,
                            paper=lambda _case, _said, _header: b"%PDF-",
                            clock=self.clock,
                            assurance=assurance,
                        ),
                        public(self.console, known=lambda: self.known),
                        mirrored(
                            self.console,
                            Mirroring(self.console, self.log),
                            secrets=PairSecrets({"backup": b"m" * 32}),
                            known=lambda: self.known,
                        ),
                        taking(Intake(lambda _caller: self.log), callers=("app", "sso")),
                        warranting(self.warranting, assurance=assurance),
                        switching(
                            Switchboard(
                                self.console,
                                warrants=self.warrants,
                                switching=self.switching,
                                choices=lambda: self.switchable,
                            ),
                            assurance=assurance,
                        ),
                        witnessing(self.console, witness=self.witness, assurance=assurance),
                        complying(
                            self.console, standards=lambda: self.standards, paper=self.on_paper, assurance=assurance
                        ),
                        stamping(self.console, stamps=self.series, clock=self.clock, assurance=assurance),
                        alerting(self.alert_desk, assurance=assurance),
                        retention_pages(
                            self.console,
                            retaining=self.retention.retaining,
                            consent=lambda reader, retention, _days: self.consents(reader, retention.value),
                            assurance=assurance,
                        ),
                        exporting(
                            self.console,
                            desk=self.exports,
                            folder=folder / "exports",
                            consent=self.consents,
                            assurance=assurance,
                        ),
                    ],
                )
            ],
            translations=[TRANSLATIONS],
            ready=self.console.ready,
            standing=self.console.standing,
            behind_proxy=False,
        )
