# SPDX-License-Identifier: Apache-2.0
"""What slapd is told: the text of ``cn=config``, made from the settings and nothing else.

Lockout stays off: sign-on limits guessing, so that nobody can lock a citizen out by typing wrong passwords.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from ..config import DirectorySettings
from ..ldap.names import CHANGES, Tree
from . import schema
from .access import certified, changes_rules, limits, rules

_MODULES = ("back_mdb", "memberof", "refint", "unique", "ppolicy", "accesslog")
_STANDARD_SCHEMAS = ("core", "cosine", "inetorgperson")
_INDICES = (
    "objectClass eq",
    "uid eq,sub",
    "cn eq,sub",
    "o eq,sub",
    "tallyNameZh eq,sub",
    "mail eq",
    "tallySubject,tallyId,tallyNumber,tallyOrganisation,tallyHolder,tallyCreditCode,tallyEnabled eq",
    "tallyParent eq",
    "member eq",
    "memberOf eq,pres",
    "tallyDepartment,tallyPost,tallyGives,tallyEntitlement,tallyRoleName,tallyUntil,tallyWaiting,tallyPrincipal eq",
    "tallyNumberIndex eq",
    "tallyProofingDate eq",
    "tallyRight pres",
    "entryUUID,entryCSN eq",
)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the server keeps its things."""

    configuration: Path
    # What the configuration was made from, written last.
    in_force: Path
    data: Path
    # The server's own notes of what was changed.
    changes: Path
    socket: Path
    certificate: Path
    key: Path
    # Issuers of devices' certificates; without it nobody binds with a certificate.
    clients: Path


@dataclass(frozen=True, kw_only=True)
class Twin:
    """The other one of two providers, which send each other what is changed (RFC 4533, with the notes of changes)."""

    # Our own number among the two.
    number: int
    # Where the other one listens over TLS.
    url: str
    # Who certified it, and so whom it is believed.
    trusted: Path
    # Its certificate's subject as slapd writes it.
    subject: str


def ldif(
    settings: DirectorySettings, places: Places, *, tls: bool, issuers: bytes = b"", twin: Twin | None = None
) -> str:
    """Every entry of ``cn=config`` in order; ``tls`` says whether the certificate exists already.

    ``issuers`` is what stands in ``places.clients``: other issuers make another configuration.
    """
    tree = Tree(settings.suffix)
    standard = [f"include: file://{settings.schemas / name}.ldif" for name in _STANDARD_SCHEMAS]
    blocks = [
        _globals(settings, places, tls=tls, issuers=issuers, twin=twin),
        _modules(settings, twin),
        "dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n",
        *(f"{line}\n" for line in standard),
        schema.ldif(),
        _FRONTEND,
        _NO_CONFIG_ACCESS,
        _database(settings, places, tree, twin),
        *_overlays(tree),
        *_changes(settings, places, tree, twin),
    ]
    return "\n".join(blocks)


def indices(text: str) -> list[str]:
    """What a configuration says is indexed, and how."""
    return [line for line in text.splitlines() if line.startswith(("olcDbIndex:", "olcIndex"))]


def _globals(settings: DirectorySettings, places: Places, *, tls: bool, issuers: bytes, twin: Twin | None) -> str:
    text = (
        "dn: cn=config\nobjectClass: olcGlobal\ncn: config\n"
        # Nobody reads without having said who they are, and never in clear over a wire.
        "olcDisallows: bind_anon\nolcRequires: authc\nolcLocalSSF: 128\nolcSecurity: ssf=128\n"
        # A part of a name is looked up by every three bytes of it: one Chinese character is three, so one is enough.
        "olcIndexSubstrIfMinLen: 1\nolcIndexSubstrAnyLen: 3\nolcIndexSubstrAnyStep: 1\n"
        "olcThreads: 8\nolcIdleTimeout: 0\nolcSockbufMaxIncoming: 262143\nolcSockbufMaxIncomingAuth: 4194303\n"
        "olcLogLevel: none\n"
    )
    if tls:
        # 3.3 is TLS 1.2 in the numbering of the protocol. A slapd built with GnuTLS, as Debian's is, ignores that line
        # and is told by the suites.
        text += (
            f"olcTLSCertificateFile: {places.certificate}\nolcTLSCertificateKeyFile: {places.key}\n"
            f"olcTLSProtocolMin: 3.3\nolcTLSCipherSuite: {settings.tls_suites}\n"
        )
    if tls and issuers:
        # Who shows a certificate must show a good one of a device; who shows none binds with a password or not at all.
        text += (
            f"# issuers {hashlib.sha256(issuers).hexdigest()}\n"
            f"olcTLSCACertificateFile: {places.clients}\nolcTLSVerifyClient: try\n"
            f"olcAuthzRegexp: {{0}}{certified(Tree(settings.suffix))}\n"
        )
    if twin:
        # The whole subject: others of the same issuer are nobody.
        text += (
            f'olcServerID: {twin.number}\nolcAuthzRegexp: {{1}}"^{re.escape(twin.subject)}$" '
            f'"{replicator(Tree(settings.suffix))}"\n'
        )
    return text


def _modules(settings: DirectorySettings, twin: Twin | None) -> str:
    loads = [
        *_MODULES,
        *(("syncprov",) if twin else ()),
        f"argon2 m={settings.hash_memory_kib} t={settings.hash_passes} p=1",
    ]
    lines = "".join(f"olcModuleLoad: {name}\n" for name in loads)
    return (
        "dn: cn=module{0},cn=config\nobjectClass: olcModuleList\ncn: module{0}\n"
        f"olcModulePath: {settings.modules}\n"
    ) + lines


# The hash scheme must stand here: on cn=config it would be read before the argon2 module is loaded.
_FRONTEND = """\
dn: olcDatabase={-1}frontend,cn=config
objectClass: olcDatabaseConfig
objectClass: olcFrontendConfig
olcDatabase: {-1}frontend
olcPasswordHash: {ARGON2}
olcAccess: {0}to * by * none
"""

_NO_CONFIG_ACCESS = """\
dn: olcDatabase={0}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {0}config
olcAccess: {0}to * by * none
"""


def _database(settings: DirectorySettings, places: Places, tree: Tree, twin: Twin | None) -> str:
    head = (
        "dn: olcDatabase={1}mdb,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcMdbConfig\n"
        f"olcDatabase: {{1}}mdb\nolcSuffix: {tree.suffix}\nolcDbDirectory: {places.data}\n"
        # The overlays act in this name; it has no password and no entry, so nobody can bind as it.
        f"olcRootDN: cn=root,{tree.suffix}\n"
        f"olcDbMaxSize: {settings.database_bytes}\nolcAddContentAcl: TRUE\n"
        f"olcSizeLimit: size={settings.size_limit}\nolcTimeLimit: 10\n"
    )
    indices = "".join(f"olcDbIndex: {index}\n" for index in _INDICES)
    lines = [rule.text(tree) for rule in rules(tree)]
    most = list(limits(tree, longest=settings.size_limit))
    if twin:
        lines.insert(0, _replicated(tree))
        most.insert(0, _unlimited(tree))
    access = "".join(f"olcAccess: {{{i}}}{line}\n" for i, line in enumerate(lines))
    bounds = "".join(f"olcLimits: {{{i}}}{limit}\n" for i, limit in enumerate(most))
    return head + indices + access + bounds + (_following(places, tree, twin) if twin else "")


def _following(places: Places, tree: Tree, twin: Twin) -> str:
    """How this provider hears of what the other one took: change by change, each as it was made there."""
    return (
        f"olcSyncrepl: {{0}}rid={twin.number:03} provider={twin.url} bindmethod=sasl saslmech=EXTERNAL "
        f"tls_cert={places.certificate} tls_key={places.key} tls_cacert={twin.trusted} tls_reqcert=demand "
        f'searchbase="{tree.suffix}" scope=sub schemachecking=on type=refreshAndPersist retry="1 +" timeout=5 '
        f'network-timeout=5 keepalive=5:2:2 logbase="{CHANGES}" '
        'logfilter="(&(objectClass=auditWriteObject)(reqResult=0))" syncdata=accesslog\n'
        "olcMultiProvider: TRUE\n"
    )


def replicator(tree: Tree) -> str:
    """Whom a provider's certificate makes it at the other: it has no entry and no password, and writes nothing."""
    return f"cn=replicator,{tree.suffix}"


def _replicated(tree: Tree) -> str:
    return f'to * by dn.exact="{replicator(tree)}" read by * break'


def _unlimited(tree: Tree) -> str:
    return f'dn.exact="{replicator(tree)}" size=unlimited time=unlimited'


def _overlays(tree: Tree) -> tuple[str, ...]:
    place = "olcDatabase={1}mdb,cn=config"
    return (
        (
            f"dn: olcOverlay={{0}}memberof,{place}\nobjectClass: olcOverlayConfig\nobjectClass: olcMemberOf\n"
            "olcOverlay: {0}memberof\nolcMemberOfGroupOC: tallyRole\nolcMemberOfMemberAD: member\n"
            "olcMemberOfMemberOfAD: memberOf\nolcMemberOfRefInt: TRUE\nolcMemberOfDangling: error\n"
        ),
        # One name per value: a list in one value is not understood.
        (
            f"dn: olcOverlay={{1}}refint,{place}\nobjectClass: olcOverlayConfig\nobjectClass: olcRefintConfig\n"
            "olcOverlay: {1}refint\nolcRefintAttribute: member\nolcRefintAttribute: memberOf\n"
        ),
        (
            f"dn: olcOverlay={{2}}unique,{place}\nobjectClass: olcOverlayConfig\nobjectClass: olcUniqueConfig\n"
            "olcOverlay: {2}unique\n"
            f"olcUniqueURI: ldap:///{tree.branch('people')}?uid?sub\n"
            f"olcUniqueURI: ldap:///{tree.branch('organisations')}?tallyCreditCode?sub\n"
            f"olcUniqueURI: ldap:///{tree.branch('organisations')}?tallyNumberIndex?sub\n"
            f"olcUniqueURI: ldap:///{tree.branch('people')}?tallyNumberIndex?sub\n"
        ),
        (
            f"dn: olcOverlay={{3}}ppolicy,{place}\nobjectClass: olcOverlayConfig\nobjectClass: olcPPolicyConfig\n"
            f"olcOverlay: {{3}}ppolicy\nolcPPolicyDefault: cn=default,{tree.branch('policies')}\n"
            "olcPPolicyHashCleartext: TRUE\nolcPPolicyUseLockout: FALSE\n"
        ),
    )


def _changes(settings: DirectorySettings, places: Places, tree: Tree, twin: Twin | None) -> tuple[str, ...]:
    """Every change, by whomever, in a database of its own, whose one reader compares it with the record.

    Of two providers the other one reads it too, and does to its own tree what was done to this one.
    """
    lines = [*([_replicated(tree)] if twin else []), *changes_rules(tree, CHANGES)]
    hidden = "".join(f"olcAccess: {{{i}}}{rule}\n" for i, rule in enumerate(lines))
    hidden += f"olcLimits: {{0}}{_unlimited(tree)}\n" if twin else ""
    own = "olcDatabase={1}mdb,cn=config"
    sent = (
        (
            f"dn: olcOverlay={{5}}syncprov,{own}\nobjectClass: olcOverlayConfig\nobjectClass: olcSyncProvConfig\n"
            "olcOverlay: {5}syncprov\nolcSpCheckpoint: 100 1\n"
        ),
        (
            "dn: olcOverlay={0}syncprov,olcDatabase={2}mdb,cn=config\nobjectClass: olcOverlayConfig\n"
            "objectClass: olcSyncProvConfig\nolcOverlay: {0}syncprov\nolcSpNoPresent: TRUE\n"
            "olcSpReloadHint: TRUE\n"
        ),
    )
    # A power cut may take the last note, and nothing else; each note costs one wait for the disk less. Where another
    # provider lives by the notes, none may be lost.
    flags = "" if twin else "olcDbEnvFlags: nometasync\n"
    return (
        (
            "dn: olcOverlay={4}accesslog,olcDatabase={1}mdb,cn=config\nobjectClass: olcOverlayConfig\n"
            f"objectClass: olcAccessLogConfig\nolcOverlay: {{4}}accesslog\nolcAccessLogDB: {CHANGES}\n"
            # What an authority's entry held before is worth nothing: the next list replaces it, and it can be large.
            "olcAccessLogOps: writes\nolcAccessLogOld: (!(objectClass=tallyAuthority))\nolcAccessLogSuccess: TRUE\n"
            f"olcAccessLogPurge: {settings.changes_kept_days}+00:00 01+00:00\n"
        ),
        (
            "dn: olcDatabase={2}mdb,cn=config\nobjectClass: olcDatabaseConfig\nobjectClass: olcMdbConfig\n"
            f"olcDatabase: {{2}}mdb\nolcSuffix: {CHANGES}\nolcDbDirectory: {places.changes}\n"
            # Its overlay writes in this name, which has no password and no entry.
            f"olcRootDN: cn=root,{CHANGES}\nolcDbMaxSize: {settings.database_bytes}\n"
            f"{flags}"
            f"olcDbIndex: objectClass,reqStart,entryCSN{',reqDN,reqResult' if twin else ''} eq\n{hidden}"
        ),
        *(sent if twin else ()),
    )
