# SPDX-License-Identifier: Apache-2.0
"""What every identity sees of every kind of entry, whole, and what outsiders who want more run into."""

import base64
import re
import subprocess

import pytest

from app.sample.city import PASSWORD
from directory import slapd
from directory.ldap.entries_powers import grant_id
from directory.models import Person
from directory.slapd.access import MOST_FOR_READERS, READERS, SERVICES
from tests.directory.test_access import modify
from tests.directory.world import World

WHO = {
    "tallySubject", "cn", "tallyNameZh", "tallyOrganisation", "tallyEnabled", "tallyClearance", "tallyProofingLevel",
    "memberOf", "objectClass", "tallyRolesUntil",
}  # fmt: skip
KEYED = {"tallyNumberIndex", "tallyNumberSealed"}
REGISTER = {"uid", "mail", "tallyProofingDate", "tallyProofingEvidence"}
ORGANISATION = {"objectClass", "tallyId", "tallyNumber", "o", "tallyNameZh", "tallyAgency"}
DEVICE = {"objectClass", "tallyId", "tallyNumber", "cn", "tallyOrganisation", "tallyEnabled"}
GRANT = {
    "objectClass", "tallyId", "tallyNumber", "tallyHolder", "tallyFrom", "tallyUntil", "tallyReason", "tallyRoleName",
}  # fmt: skip
MANDATE = {"objectClass", "tallyId", "tallyHolder", "tallyOrganisation", "tallyScope", "tallyUntil"}
KINDS = (
    "person", "organisation", "device", "mandate", "role", "portal", "service", "policy", "configuration", "root",
    "change", "grant",
)  # fmt: skip
CHANGE = {"objectClass", "reqStart", "reqEnd", "reqType", "reqSession", "reqAuthzID", "reqDN", "reqResult", "reqMod"}

# Identity: kind of entry: the attributes seen. What is not listed is not seen at all.
SEEN: dict[str, dict[str, set[str]]] = {
    "sso": {
        "person": WHO | {"uid", "mail", "tallyProofingDate"},
        # For whom one may act, by name.
        "organisation": {"objectClass", "tallyId", "tallyNameZh", "o"},
        "mandate": MANDATE,
    },
    "gateway": {"person": WHO | {"tallyProofingDate"}, "device": DEVICE | {"tallyState"}, "mandate": MANDATE},
    "ca": {"person": WHO | REGISTER, "organisation": ORGANISATION, "device": DEVICE, "mandate": MANDATE},
    "signatures": {"person": WHO, "organisation": ORGANISATION, "mandate": MANDATE},
    "directory": {
        "person": WHO | REGISTER | KEYED | {"sn", "tallyNumber", "entryCSN"},
        "organisation": ORGANISATION | KEYED,
        "device": DEVICE | {"tallyState"},
        "mandate": MANDATE,
        "grant": GRANT,
        "role": {"objectClass", "cn", "member"},
        "portal": {"objectClass", "cn"},
        "change": CHANGE | {"reqEntryUUID"},
    },
    "a person": {},
    "the machine's root user": {},
}
HIDDEN = ("userPassword", "pwdHistory", "pwdChangedTime", "entryUUID", "creatorsName", *sorted(REGISTER | KEYED))
# Not read, yet found by: whoever knows a keeper's user name asks which account that is.
FOUND_BY = {"signatures": {"uid"}}
# The server's own bookkeeping comes with an entry that is seen whole: no secret, no personal data. A person's is not.
BOOKKEEPING = {
    "structuralObjectClass", "entryUUID", "creatorsName", "createTimestamp", "entryCSN", "modifiersName",
    "modifyTimestamp", "entryDN", "subschemaSubentry", "hasSubordinates",
}  # fmt: skip


@pytest.fixture(scope="module")
def places(filled: World) -> dict[str, str]:
    """One entry of each kind: where it is."""
    tree, directory = filled.tree, filled.directory("directory")
    holder = directory.person_by_username("wang.qiang")
    agent = directory.person_by_username("chen.wei")
    found = filled.as_service(
        "directory", "ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", tree.branch("mandates"),
        f"(tallyHolder={agent.subject})", "1.1",
    )  # fmt: skip
    mandate = re.search(r"^dn: (.+)$", found.stdout, re.MULTILINE)
    noted = filled.as_service("directory", "ldapsearch", "-LLL", "-z", "1", "-b", "cn=changes", "(reqType=add)", "1.1")
    change = re.search(r"^dn: (.+)$", noted.stdout, re.MULTILINE)
    assert mandate
    assert change
    return {
        "person": tree.person(holder.subject),
        "organisation": tree.organisation("tax-bureau"),
        "device": tree.device(directory.devices().items[0].id),
        "mandate": mandate[1],
        "grant": tree.entry("grants", grant_id(holder.subject, "security-officer")),
        "role": tree.role("security-officer"),
        "portal": tree.portal("tax"),
        "service": tree.service("directory"),
        "policy": f"cn=default,{tree.branch('policies')}",
        "configuration": "olcDatabase={1}mdb,cn=config",
        "root": "",
        "change": change[1],
    }


def as_(world: World, identity: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A client of OpenLDAP, bound as one row of the table."""
    if identity in SERVICES:
        return world.as_service(identity, name, *arguments)
    if identity == "a person":
        dn = world.tree.person(world.directory("directory").person_by_username("zhang.min").subject)
        return world.tool(name, *arguments, bind=dn, password=PASSWORD)
    command = [name, "-Y", "EXTERNAL", "-Q", "-H", world.url, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def attributes(text: str) -> set[str]:
    """Names of the attributes in an LDIF answer."""
    return {line.partition(":")[0] for line in text.splitlines() if re.match(r"[A-Za-z]", line)} - {"dn"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("identity", SEEN)
def test_the_whole_of_what_each_identity_sees(filled: World, places: dict[str, str], identity: str, kind: str) -> None:
    found = as_(filled, identity, "ldapsearch", "-LLL", "-s", "base", "-b", places[kind], "*", "+")
    wanted = SEEN[identity].get(kind, set())
    assert attributes(found.stdout) - (BOOKKEEPING if kind != "person" else set()) == wanted
    assert ("dn:" in found.stdout) is bool(wanted)


@pytest.mark.parametrize("identity", [*SERVICES, "a person"])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_is_hidden_is_not_told_by_a_filter_or_a_comparison_either(
    filled: World, places: dict[str, str], identity: str, hidden: str
) -> None:
    if hidden in SEEN[identity].get("person", set()) | FOUND_BY.get(identity, set()):
        return
    people = filled.tree.branch("people")
    for where in ("({0}=*)", "(!({0}=*))", "(!({0}=nothing))", "({0}>=1)"):
        answers = {
            # Below the branch, whose own entry holds nothing of anybody.
            as_(
                filled, identity, "ldapsearch", "-LLL", "-z", "5", "-s", "one", "-b", people, where.format(name), "1.1"
            ).stdout
            for name in (hidden, "jpegPhoto")
        }
        assert len(answers) == 1, where
    # 5 and 6 are the answers no and yes; everything else is none.
    assert as_(filled, identity, "ldapcompare", places["person"], f"{hidden}:x").returncode not in (0, 5, 6)


@pytest.mark.parametrize("name", ["audit", "decoy", "root", "nobody", "sso "])
@pytest.mark.parametrize("password", ["no password of anybody", "secret", PASSWORD])
def test_nobody_else_binds(filled: World, name: str, password: str) -> None:
    assert filled.tool("ldapwhoami", bind=filled.tree.service(name), password=password).returncode == 49


def test_an_empty_bind_is_no_bind(filled: World, chen_wei: Person) -> None:
    for dn, password in (
        ("", ""),
        ("", PASSWORD),
        (filled.tree.person(chen_wei.subject), ""),
        (filled.tree.service("directory"), ""),
        (f"cn=root,{filled.tree.suffix}", ""),
        ("cn=config", ""),
    ):
        done = filled.tool("ldapwhoami", bind=dn, password=password)
        assert done.returncode in (48, 49, 53), (dn, done.stdout)
        found = filled.tool("ldapsearch", "-LLL", "-b", filled.tree.suffix, bind=dn, password=password)
        assert "dn:" not in found.stdout


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize("paged", [(), ("pr=50/noprompt",), ("pr=100000/noprompt",), ("!pr=1/noprompt",)])
def test_nobody_walks_off_with_the_register(filled: World, role: str, paged: tuple[str, ...]) -> None:
    most = MOST_FOR_READERS if role in READERS else filled.settings.size_limit
    arguments = [word for control in paged for word in ("-E", control)]
    for limit in (("-z", "0"), ("-z", "max"), ("-z", "100000")):
        found = filled.as_service(
            role, "ldapsearch", "-LLL", *limit, *arguments, "-b", filled.tree.branch("people"), "(objectClass=*)", "1.1"
        )
        if role == "directory" and paged:
            # The writer, who sees them all anyhow, walks by pages; without them one answer is as long as anybody's.
            continue
        assert found.stdout.count("dn:") == most
        assert found.returncode == 4


def test_a_made_up_page_cookie_gets_nothing(filled: World) -> None:
    # 1.2.840.113556.1.4.319 is the control of paged results (RFC 2696); its value here is a cookie nobody gave out.
    forged = "!1.2.840.113556.1.4.319=::MBECAQoEDFRoaXJ0eS1zaXggYg=="
    found = filled.as_service(
        "gateway", "ldapsearch", "-LLL", "-e", forged, "-b", filled.tree.branch("people"), "(objectClass=*)", "1.1"
    )
    assert found.returncode != 0
    assert "dn:" not in found.stdout


@pytest.mark.parametrize(
    "control",
    [
        "!authzid=dn:cn=directory,ou=services,dc=city,dc=example",
        "!authzid=u:directory",
        "!relax",
        "!preread=*,userPassword",
        "!postread=*,userPassword",
    ],
)
@pytest.mark.parametrize("role", READERS)
def test_no_control_lends_powers(filled: World, chen_wei: Person, role: str, control: str) -> None:
    dn = filled.tree.person(chen_wei.subject)
    change = f"dn: {dn}\nchangetype: modify\nreplace: tallyEnabled\ntallyEnabled: FALSE\n"
    done = modify(filled, role, change, "-e", control)
    assert done.returncode != 0
    assert "ARGON2" not in done.stdout
    whoami = filled.as_service(role, "ldapwhoami", "-e", control)
    assert filled.tree.service("directory") not in whoami.stdout
    assert filled.directory("directory").person(chen_wei.subject).enabled


def test_even_the_writer_is_not_shown_a_password_by_a_control(filled: World, chen_wei: Person) -> None:
    dn = filled.tree.person(chen_wei.subject)
    change = f"dn: {dn}\nchangetype: modify\nreplace: tallyEnabled\ntallyEnabled: TRUE\n"
    for control in ("preread=*,userPassword,pwdHistory", "postread=*,userPassword,pwdHistory"):
        done = modify(filled, "directory", change, "-e", control)
        assert done.returncode == 0
        assert "userPassword" not in done.stdout
        assert "pwdHistory" not in done.stdout


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("person", "memberOf: cn=ra-officer,ou=roles,dc=city,dc=example"),
        ("person", "entryUUID: 00000000-0000-4000-8000-000000000000"),
        ("person", "creatorsName: cn=x"),
        ("person", "pwdHistory: x"),
        ("person", "pwdPolicySubentry: cn=x"),
        ("person", "pwdAccountLockedTime: 000001010000Z"),
        ("policy", "pwdLockout: TRUE"),
        ("service", "userPassword: stolen"),
        ("configuration", "olcRootPW: stolen"),
    ],
)
def test_nobody_writes_past_the_rules(filled: World, places: dict[str, str], role: str, kind: str, line: str) -> None:
    attribute = line.partition(":")[0]
    done = modify(filled, role, f"dn: {places[kind]}\nchangetype: modify\nreplace: {attribute}\n{line}\n")
    assert done.returncode != 0


def test_the_servers_own_notes_show_nobody_a_password(filled: World) -> None:
    person = filled.directory("directory").person_by_username("li.na")
    for word in ("one pass phrase or", "another pass phrase"):
        filled.writer().set_password(person.subject, word, actor="")
    for identity in SEEN:
        found = as_(filled, identity, "ldapsearch", "-LLL", "-z", "0", "-b", "cn=changes", "(objectClass=*)", "*", "+")
        assert ("reqMod" in found.stdout) is (identity == "directory")
        for line in found.stdout.splitlines():
            assert not line.startswith(("reqMod: userPassword", "reqOld: userPassword", "reqOld: pwdHistory"))
        assert "ARGON2" not in found.stdout
        assert base64.b64encode(b"userPassword")[:12].decode() not in found.stdout
        for where in ("(reqMod=userPassword*)", "(reqOld=userPassword*)", "(reqMod=*ARGON2*)", "(reqOld=pwdHistory*)"):
            told = as_(filled, identity, "ldapsearch", "-LLL", "-b", "cn=changes", where, "reqDN")
            assert "reqDN" not in told.stdout
    done = modify(filled, "directory", "dn: cn=changes\nchangetype: delete\n")
    assert done.returncode == 50


def test_a_search_elsewhere_is_not_sent_elsewhere(filled: World) -> None:
    for base in ("dc=elsewhere,dc=example", "cn=monitor", "ou=nowhere,dc=city,dc=example"):
        found = filled.as_service("directory", "ldapsearch", "-LLL", "-b", base)
        assert found.returncode == 32
        assert "ref:" not in found.stdout.lower()


def test_the_server_listens_at_its_socket_and_on_loopback_only(filled: World) -> None:
    assert filled.listens_at() == {("127.0.0.1", filled.site.ports.ldaps)}
    assert slapd.places(filled.site).socket.is_socket()


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1", "-tls1_2", "-tls1_3"])
def test_only_good_tls_is_spoken(filled: World, version: str) -> None:
    address, issuer = f"127.0.0.1:{filled.site.ports.ldaps}", slapd.places(filled.site).certificate
    # The client would speak the old versions if the server did.
    done = subprocess.run(
        ["openssl", "s_client", "-connect", address, version, "-cipher", "ALL:@SECLEVEL=0", "-CAfile", str(issuer)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        input="",
    )
    shaken = "Verify return code: 0 (ok)" in done.stdout and "Cipher is (NONE)" not in done.stdout
    assert shaken is (version in {"-tls1_2", "-tls1_3"})


def test_passwords_are_kept_as_argon2_and_nowhere_in_clear(filled: World) -> None:
    word = "a pass phrase to look for"
    filled.writer().set_password(filled.directory("directory").person_by_username("sun.li").subject, word, actor="")
    kept = filled.passwords().values()
    assert len(kept) > 500
    assert all(value.startswith(b"{ARGON2}$argon2") for value in kept)
    for file in (*slapd.places(filled.site).data.iterdir(), *filled.site.folder("directory").iterdir()):
        data = file.read_bytes()
        assert word.encode() not in data, file
        assert PASSWORD.encode() not in data, file
