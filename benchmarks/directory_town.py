# SPDX-License-Identifier: Apache-2.0
"""A made-up town of any size for the directory: the same people in every run, and a way to fill a stopped slapd fast.

One in ten is a civil servant with a post and the roles it carries, one in twenty acts for a company, one in fifty has a
grant of an entitlement. Names are drawn so that a few are very common and many are rare.
"""

import base64
import random
import subprocess
from collections.abc import Iterator
from datetime import date
from typing import IO, cast
from uuid import UUID

from directory import slapd
from directory.ldap import Tree, entries, entries_powers
from directory.ldap.entries import Content
from directory.models import Mandate, Organisation, Person, PersonKind, Proofing, credit_code_check
from directory.models_powers import Entitlement, Grant, Holding, Post, Role
from directory.slapd import Cost
from tests.directory.world import World

SEED = 8
ROLES = 200
_FAMILIES = [
    "王wang",
    "李li",
    "张zhang",
    "刘liu",
    "陈chen",
    "杨yang",
    "黄huang",
    "赵zhao",
    "吴wu",
    "周zhou",
    "徐xu",
    "孙sun",
    "马ma",
    "朱zhu",
    "胡hu",
    "郭guo",
    "何he",
    "高gao",
    "林lin",
    "罗luo",
    "郑zheng",
    "梁liang",
    "谢xie",
    "宋song",
    "唐tang",
    "许xu",
    "韩han",
    "冯feng",
    "邓deng",
    "曹cao",
    "彭peng",
    "曾zeng",
    "肖xiao",
    "田tian",
    "董dong",
    "袁yuan",
    "潘pan",
    "于yu",
]
_GIVEN = [
    "伟wei",
    "芳fang",
    "娜na",
    "敏min",
    "静jing",
    "丽li",
    "强qiang",
    "磊lei",
    "军jun",
    "洋yang",
    "勇yong",
    "艳yan",
    "杰jie",
    "娟juan",
    "涛tao",
    "明ming",
    "超chao",
    "秀xiu",
    "霞xia",
    "平ping",
    "刚gang",
    "桂gui",
    "英ying",
    "华hua",
    "玉yu",
    "兰lan",
    "红hong",
    "建jian",
    "国guo",
    "文wen",
    "志zhi",
    "春chun",
    "晓xiao",
    "雪xue",
    "梅mei",
    "琳lin",
    "鹏peng",
    "宇yu",
    "浩hao",
    "凯kai",
    "健jian",
    "俊jun",
    "帆fan",
    "峰feng",
    "宁ning",
    "璐lu",
    "瑶yao",
    "颖ying",
    "昊hao",
    "睿rui",
    "骞qian",
    "翀chong",
    "赟yun",
    "曦xi",
]
_SINCE, _UNTIL = date(2025, 1, 1), date(2099, 12, 31)


def agencies(people: int) -> int:
    """How many a town of this size has."""
    return max(1, people // 2000)


def agency(number: int) -> Organisation:
    """One of them."""
    return organisation(f"bench-office-{number}", number, agency=True)


def person(number: int, people: int) -> Person:
    """One of the town's people, the same in every run; their subject is their number."""
    dice = random.Random(f"{SEED} {number}")  # noqa: S311 - the same people in every run
    family = _FAMILIES[int(len(_FAMILIES) * dice.random() ** 2)]
    given = [_GIVEN[int(len(_GIVEN) * dice.random() ** 1.5)] for _ in range(dice.choice((1, 2, 2)))]
    first = "".join(each[1:] for each in given)
    servant = number % 10 == 0
    return Person(
        subject=_identifier(1, number),
        number=number + 1,
        username=f"{family[1:]}.{first}{number}",
        kind=PersonKind.CIVIL_SERVANT if servant else PersonKind.CITIZEN,
        name=f"{family[1:].title()} {first.title()}",
        name_zh=family[0] + "".join(each[0] for each in given),
        mail=f"n{number}@bench.example",
        organisation=agency(_office(number, people)).id if servant else "",
        proofing=Proofing(level=2, date=_SINCE, evidence="bench"),
    )


def subject(number: int) -> str:
    """Who that one is."""
    return _identifier(1, number)


def fill(world: World, people: int, *, begin: int = 0) -> None:
    """Enter a town offline; only while slapd is stopped. What ``begin`` counts is there already.

    Raises:
        CalledProcessError: slapadd does not take it.
    """
    where = slapd.places(world.site).configuration
    command = [str(world.settings.slapd), "-T", "add", "-q", "-n", "1", "-F", str(where)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    with cast("IO[bytes]", process.stdin) as into:
        for dn, content in _entries(world.tree, begin, people):
            into.write(_ldif(dn, content))
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
    world.store.numbers(4 * (people - begin))


def _entries(tree: Tree, begin: int, people: int) -> Iterator[tuple[str, Content]]:
    password = slapd.no_password(Cost(256, 1))
    if begin == 0:
        yield from _frame(tree, people)
    for number in range(begin, people):
        one = person(number, people)
        content = entries.person_content(one, password_hash=password)
        roles = _roles(number, people)
        content |= {"memberOf": [tree.role(role) for role in roles]} if roles else {}
        yield tree.person(one.subject), content
        yield from _powers(tree, number, people)


def _frame(tree: Tree, people: int) -> Iterator[tuple[str, Content]]:
    members: dict[str, list[str]] = {}
    for number in range(0, people, 10):
        for role in _roles(number, people):
            members.setdefault(role, []).append(tree.person(_identifier(1, number)))
    for number in range(ROLES):
        gives = frozenset({Entitlement("tax", f"do-{number}")})
        made = Role(name=_role(number), title=f"Role {number}", entitlements=gives)
        content = entries_powers.role_content(made)
        content |= {"member": members[made.name]} if made.name in members else {}
        yield tree.role(made.name), content
    for number in range(agencies(people)):
        one = agency(number)
        yield tree.organisation(one.id), entries.organisation_content(one)
        for place in range(10):
            post = _post(number, place)
            yield tree.entry("posts", post.id), entries_powers.post_content(post)
    for number in range(people // 50):
        company = _company(number)
        yield tree.organisation(company.id), entries.organisation_content(company)


def _powers(tree: Tree, number: int, people: int) -> Iterator[tuple[str, Content]]:
    subject = _identifier(1, number)
    if number % 10 == 0:
        post = _post(_office(number, people), number // 10 % 10)
        held = Holding(
            id=_identifier(2, number), holder=subject, post=post.id, since=_SINCE, reason="bench", number=number + 1
        )
        yield tree.entry("holdings", held.id), entries_powers.holding_content(held)
    if number % 50 == 10:
        grant = Grant(
            id=_identifier(3, number), holder=subject, entitlement=Entitlement("tax", f"do-{number % 5000}"),
            since=_SINCE, until=_UNTIL, reason="bench", number=number + 1,
        )  # fmt: skip
        yield tree.entry("grants", grant.id), entries_powers.grant_content(grant)
    if number % 20 == 7 and people >= 50:
        until = date(2027 + number // 20 % 3, 1 + number // 60 % 12, 1 + number // 720 % 28)
        mandate = Mandate(organisation=_company(number % (people // 50)).id, scope="tax", until=until)
        dn = tree.mandate(entries.mandate_id(subject, mandate))
        yield dn, entries.mandate_content(subject, mandate)


def _office(number: int, people: int) -> int:
    return number // 10 % agencies(people)


def _post(office: int, place: int) -> Post:
    roles = frozenset({_role((10 * office + place) % ROLES), _role((7 * office + place) % ROLES)})
    return Post(
        id=_identifier(4, 10 * office + place), name=f"Post {place}", organisation=agency(office).id,
        roles=roles, number=10 * office + place + 1,
    )  # fmt: skip


def _roles(number: int, people: int) -> list[str]:
    return sorted(_post(_office(number, people), number // 10 % 10).roles) if number % 10 == 0 else []


def _role(number: int) -> str:
    return f"bench-role-{number}"


def _company(number: int) -> Organisation:
    return organisation(f"bench-company-{number}", 1_000_000 + number, agency=False)


def organisation(identifier: str, number: int, *, agency: bool) -> Organisation:
    """An organisation with a credit code of its own for each number."""
    body = f"{11110000000000000 + number:017d}"
    return Organisation(
        id=identifier, name=f"Office {number}", name_zh=f"第{number}局", credit_code=body + credit_code_check(body),
        agency=agency, number=number + 1,
    )  # fmt: skip


def _identifier(kind: int, number: int) -> str:
    # Spread over the whole room, as random ones are.
    mixed = (number + 1) * 0x9E3779B97F4A7C15 % (1 << 64)
    return str(UUID(int=mixed << 64 | kind << 40 | number, version=4))


def _ldif(dn: str, content: Content) -> bytes:
    lines = [_line("dn", dn)]
    lines += [_line(name, value) for name, values in content.items() for value in values]
    return ("\n".join(lines) + "\n\n").encode("ascii")


def _line(name: str, value: str) -> str:
    if value.isascii():
        return f"{name}: {value}"
    return f"{name}:: {base64.b64encode(value.encode('utf-8')).decode('ascii')}"
