# SPDX-License-Identifier: Apache-2.0
"""A city of 500 citizens, 6 agencies with 60 civil servants, 40 companies and 30 devices; the same for the same seed.

Everybody's password is the same and printed: this city is for trying out and must never hold a real person.
"""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

from directory import Device, Mandate, NoSuchPerson, Organisation, Person, PersonKind, Proofing
from directory.imports import Batch, ImportReport, NewHolding, NewMandate
from directory.models import credit_code_check
from directory.models_powers import CONTRACTOR, Capacity, Department, Entitlement, Offer, Post, national_number_check
from directory.service import DirectoryWriter

from . import names

PASSWORD = "tally-demo-2026"  # noqa: S105 - printed for everybody to try out
CITIZENS, CIVIL_SERVANTS, COMPANIES, DEVICES = 500, 60, 40, 30
REPRESENTED = 5
"""Companies whose legal representative is in the directory."""
SEED = 2026

_BORN = date(2026, 1, 1)
_MANDATES_END = date(2036, 12, 31)


@dataclass(frozen=True)
class Known:
    """An account with a fixed name, for trying out and for tests."""

    username: str
    name: str
    name_zh: str
    says: str
    agency: str = ""
    role: str = ""
    clearance: int = 0
    proofing: int = 3


FIRST = (
    Known("chen.wei", "Chen Wei", "陈伟", "citizen"),
    Known("zhang.min", "Zhang Min", "张敏", "citizen", proofing=2),
    Known("li.na", "Li Na", "李娜", "civil servant of the document office", "document-office", clearance=2),
    Known("wang.qiang", "Wang Qiang", "王强", "security officer", "data-bureau", "security-officer", 1),
    Known("zhao.lei", "Zhao Lei", "赵磊", "directory administrator", "data-bureau", "directory-administrator", 1),
    Known("sun.li", "Sun Li", "孙丽", "registration authority officer", "data-bureau", "ra-officer", 1),
    Known(
        "zhou.fang",
        "Zhou Fang",
        "周芳",
        "administrator of the document office",
        "document-office",
        "agency-administrator",
        1,
    ),
    Known("qian.jun", "Qian Jun", "钱军", "security administrator", "data-bureau", "security-administrator", 1),
)

# Came later: made by dice of their own, so that everybody else stays who they were.
LATER = (
    Known("lin.hai", "Lin Hai", "林海", "security officer", "data-bureau", "security-officer", 1),
    Known("gao.yan", "Gao Yan", "高岩", "audit administrator", "data-bureau", "audit-administrator", 1),
    Known("xu.jing", "Xu Jing", "徐静", "audit administrator", "data-bureau", "audit-administrator", 1),
    Known("tang.yu", "Tang Yu", "唐宇", "security administrator", "data-bureau", "security-administrator", 1),
    Known("he.ping", "He Ping", "何平", "registration authority officer", "data-bureau", "ra-officer", 1),
    Known("wu.gang", "Wu Gang", "吴刚", "contractor at the tax portal", role="contractor-tax", proofing=2),
)
KNOWN = (*FIRST, *LATER)


@dataclass
class City:
    """Records to enter together, passwords by subject, and who gets which role."""

    batch: Batch = field(default_factory=Batch)
    passwords: dict[str, str] = field(default_factory=dict)
    # User names of legal representatives, by company.
    representatives: dict[str, str] = field(default_factory=dict)


def build(seed: int = SEED) -> City:
    """Make the city; touches nothing."""
    dice = random.Random(seed)  # noqa: S311 - a sample that must be the same every time
    city = City()
    city.batch.organisations = [(0, organisation) for organisation in _organisations(dice)]
    city.batch.people = [(0, person) for person in _people(dice)]
    city.batch.devices = [(0, device) for device in _devices(dice, city)]
    city.batch.mandates = [(0, mandate) for mandate in _mandates(dice, city)]
    later = random.Random(seed + 1)  # noqa: S311 - as above
    city.batch.people += [(0, _known(later, known)) for known in LATER]
    _offices(random.Random(seed + 2), city)  # noqa: S311 - as above
    first = {new.mandate.organisation: new.username for _, new in reversed(city.batch.mandates)}
    city.representatives = dict(sorted(first.items())[:REPRESENTED])
    city.passwords = {person.subject: PASSWORD for _, person in city.batch.people}
    return city


def fill(writer: DirectoryWriter, city: City) -> ImportReport:
    """Enter the city through the one writer, recorded; does nothing where it is there already.

    Raises:
        RecordUnavailable: nothing was entered.
    """
    report = ImportReport(0, 0, 0, 0)
    there = {role.name for role in writer.standings.roles()}
    for name, title, title_zh, entitlements in names.ROLES:
        if name not in there:
            given = [Entitlement.parse(each) for each in entitlements.split()]
            writer.structure.add_role(name, title=title, title_zh=title_zh, entitlements=given, actor="")
    for name, title, title_zh in names.CONTRACTORS:
        if name not in there:
            writer.structure.add_role(name, title=title, title_zh=title_zh, actor="")
    try:
        writer.directory.person_by_username(KNOWN[0].username)
    except NoSuchPerson:
        report = writer.enter(city.batch, actor="", passwords=city.passwords)
    for known in KNOWN:
        # What binds a contractor lasts a while, and nobody renews it by starting anew.
        is_contractor = known.role.startswith(CONTRACTOR)
        if known.role and (report.people or not is_contractor):
            subject = writer.directory.person_by_username(known.username).subject
            last = writer.standings.today() + timedelta(days=writer.giving.contractor_days)
            until = last if is_contractor else _MANDATES_END
            writer.grant_role(subject, known.role, actor="", reason="sample city", until=until)
    offered = {offer.name for offer in writer.standings.offers()}
    for name, title, title_zh, agency, portal in names.OFFERS:
        if name not in offered:
            offer = Offer(name=name, title=title, title_zh=title_zh, organisation=agency, portal=portal)
            writer.structure.add_offer(offer, actor="")
    for organisation, username in city.representatives.items():
        if not writer.standings.representatives(organisation):
            subject = writer.directory.person_by_username(username).subject
            writer.giving.name_representative(
                subject, organisation, Capacity.LEGAL, actor="", reason="sample city", until=_MANDATES_END
            )
    return report


def _offices(dice: random.Random, city: City) -> None:
    """Departments and posts of the agencies, who holds which, and everybody's number."""
    for agency, _, _ in names.AGENCIES:
        for department, department_zh, posts in names.OFFICES:
            part = Department(id=_uuid(dice), name=department, name_zh=department_zh, organisation=agency)
            city.batch.departments.append((0, part))
            for name, name_zh, roles in posts:
                post = Post(
                    id=_uuid(dice), name=name, name_zh=name_zh, organisation=agency, department=department,
                    roles=frozenset(roles.split()),
                )  # fmt: skip
                city.batch.posts.append((0, post))
    wishes = [name for _, _, posts in names.OFFICES for name, _, _ in posts]
    for _, person in city.batch.people:
        born = date(1950, 1, 1) + timedelta(days=dice.randrange(20_000))
        # 999999 is no administrative division, so that no number belongs to anybody.
        body = f"999999{born:%Y%m%d}{len(city.batch.numbers):03}"
        city.batch.numbers[person.subject] = (0, body + national_number_check(body))
        if person.organisation:
            holding = NewHolding(person.subject, person.organisation, wishes[len(city.batch.holdings) % len(wishes)])
            city.batch.holdings.append((0, holding))


def _organisations(dice: random.Random) -> list[Organisation]:
    agencies = [
        Organisation(id=label, name=name, name_zh=f"示例市{name_zh}", credit_code=_code(dice, "11"), agency=True)
        for label, name, name_zh in names.AGENCIES
    ]
    companies = [
        Organisation(
            id=f"{latin.lower()}-{trade.split()[0].lower()}",
            name=f"{latin} {trade}",
            name_zh=f"示例市{chinese}{trade_zh}",
            credit_code=_code(dice, "91"),
            agency=False,
        )
        for chinese, latin in names.pairs(names.COMPANY_FIRST)
        for trade_zh, trade in names.COMPANY_TRADE
    ]
    return agencies + companies


def _code(dice: random.Random, kind: str) -> str:
    # 999999 is no administrative division, so that no code belongs to a real organisation.
    body = f"{kind}999999" + "".join(dice.choice("0123456789ABCDEFGHJKLMNPQRTUWXY") for _ in range(9))
    return body + credit_code_check(body)


def _people(dice: random.Random) -> list[Person]:
    surnames, given = names.pairs(names.SURNAMES), names.pairs(names.GIVEN)
    taken = {known.username for known in KNOWN}
    people = [_known(dice, known) for known in FIRST]
    for kind, wanted in ((PersonKind.CITIZEN, CITIZENS), (PersonKind.CIVIL_SERVANT, CIVIL_SERVANTS)):
        for index in range(wanted - sum(person.kind is kind for person in people)):
            (family_zh, family), (first_zh, first) = dice.choice(surnames), dice.choice(given)
            servant = kind is PersonKind.CIVIL_SERVANT
            username = _username(f"{family}.{first}".lower(), taken)
            people.append(
                Person(
                    subject=_uuid(dice),
                    username=username,
                    kind=kind,
                    name=f"{family} {first}",
                    name_zh=family_zh + first_zh,
                    mail=f"{username}@city.example",
                    organisation=names.AGENCIES[index % len(names.AGENCIES)][0] if servant else "",
                    proofing=_proofing(dice, 3 if servant else dice.choice((1, 2, 2, 3, 3))),
                    clearance=dice.choice((1, 1, 1, 2)) if servant else 0,
                )
            )
    return people


def _known(dice: random.Random, known: Known) -> Person:
    return Person(
        subject=_uuid(dice),
        username=known.username,
        kind=PersonKind.CIVIL_SERVANT if known.agency else PersonKind.CITIZEN,
        name=known.name,
        name_zh=known.name_zh,
        mail=f"{known.username}@city.example",
        organisation=known.agency,
        proofing=_proofing(dice, known.proofing),
        clearance=known.clearance,
    )


def _username(wish: str, taken: set[str]) -> str:
    name, count = wish, 1
    while name in taken:
        count += 1
        name = f"{wish}{count}"
    taken.add(name)
    return name


def _proofing(dice: random.Random, level: int) -> Proofing:
    day = _BORN - timedelta(days=dice.randrange(1, 900))
    return Proofing(level=level, date=day, evidence=f"RA-{day.year}-{dice.randrange(100_000):05}")


def _devices(dice: random.Random, city: City) -> list[Device]:
    owners = [organisation.id for _, organisation in city.batch.organisations]
    return [
        Device(
            id=_uuid(dice),
            name=f"{names.DEVICES[index % len(names.DEVICES)]} {index + 1}",
            organisation=owners[index % len(names.AGENCIES)] if index % 3 else dice.choice(owners),
            enabled=True,
        )
        for index in range(DEVICES)
    ]


def _mandates(dice: random.Random, city: City) -> list[NewMandate]:
    citizens = [person for _, person in city.batch.people if person.kind is PersonKind.CITIZEN]
    companies = [organisation for _, organisation in city.batch.organisations if not organisation.agency]
    # The best known citizen acts for the first company, so that everybody can try it out.
    mandates = [_mandate(citizens[0], companies[0], "all")]
    for company in companies:
        scopes = dice.sample(("all", "tax", "social", "seal"), dice.choice((1, 2)))
        mandates += [_mandate(dice.choice(citizens[2:]), company, scope) for scope in scopes]
    return mandates


def _mandate(holder: Person, company: Organisation, scope: str) -> NewMandate:
    return NewMandate(holder.username, Mandate(organisation=company.id, scope=scope, until=_MANDATES_END))


def _uuid(dice: random.Random) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))
