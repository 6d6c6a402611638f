# SPDX-License-Identifier: Apache-2.0
"""Two officers over an authority, and what they do again and again."""

from dataclasses import dataclass, field, replace

from ca.incidents import Act, Incident, Incidents, Item, Plan, Runner, Selector
from ca.models import Issued, Reason
from ca.service import CertificateAuthority
from tests.ca.world import World, ask
from tests.fakes.people import CITIZEN, CLERK, COMPANY, OFFICER

SECOND = replace(OFFICER, subject="4f7e80f2-b156-4fa2-9e95-73a160c25e05", username="qian.duo", name="Qian Duo")
TABLES = (
    "incident_items",
    "incidents",
    "acme_windows",
    "acme_orders",
    "acme_accounts",
    "acme_grants",
    "est_enrolments",
    "approvals",
    "requests",
    "outbox",
    "revocations",
    "releases",
    "lists",
    "shards",
    "keys",
    "certificates",
)


@dataclass
class House:
    world: World
    authority: CertificateAuthority
    incidents: Incidents
    runner: Runner
    # What holders outside ACME were told: serials, and the address that explains it.
    heard: list[tuple[str, ...]] = field(default_factory=list)

    def citizen(self, **options: str) -> Issued:
        return self.authority.issue(ask(**options))  # type: ignore[arg-type]  # names of the helper's own options

    def clerk(self) -> Issued:
        return self.authority.issue(ask("civil-servant", subject=CLERK.subject))

    def seal(self, actor: str = OFFICER.subject) -> Issued:
        return self.authority.issue(ask("organisation-seal", subject=COMPANY.id, actor=actor))

    def preview(self, act: Act = Act.REVOKE, **selector: object) -> Incident:
        return self.incidents.preview(plan(act, **selector), by=OFFICER.subject)

    def proposed(self, act: Act = Act.REVOKE, **selector: object) -> Incident:
        made = self.preview(act, **selector)
        return self.incidents.propose(made.id, by=OFFICER.subject, digest=made.digest)

    def begun(self, act: Act = Act.REVOKE, **selector: object) -> Incident:
        made = self.proposed(act, **selector)
        return self.incidents.approve(made.id, by=SECOND.subject, digest=made.digest)

    def carried_out(self, act: Act = Act.REVOKE, **selector: object) -> Incident:
        made = self.begun(act, **selector)
        self.runner.round()
        return self.incidents.incident(made.id)

    def serials(self, incident: Incident) -> list[str]:
        found, _ = self.incidents.listed(incident.id, limit=1000)
        return [each.serial for each in found]

    def counts(self, incident: Incident) -> dict[Item, int]:
        return dict(self.incidents.progress(incident).counts)

    def told(self, beginning: str = "ca.incident.") -> list[str]:
        return [each for each in self.world.reported() if each.startswith(beginning)]


def plan(act: Act = Act.REVOKE, **selector: object) -> Plan:
    """What is written of a plan and of its selector, the rest as it mostly is."""
    text, reason = selector.pop("text", "A key leaked."), selector.pop("reason", Reason.SUPERSEDED)
    more = {name: selector.pop(name) for name in ("deadline", "whom") if name in selector}
    wanted = Selector(**(selector or {"holder": CITIZEN.subject}))  # type: ignore[arg-type]  # fields of a selector
    return Plan(selector=wanted, act=act, reason=reason, text=text, **more)  # type: ignore[arg-type]  # fields of a plan
