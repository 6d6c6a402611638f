# SPDX-License-Identifier: Apache-2.0
"""Our own schema: every attribute and class with its object identifier.

All identifiers lie under the UUID arc 2.25 (ITU-T X.667) of 6f1d1c1e-3c0a-4d52-9b7e-2b7b7a1e5c40: attributes are
``ARC.1.n``, classes ``ARC.2.n``. A number once given is never given again; what is added takes the next one.
"""

from dataclasses import dataclass

ARC = "2.25.147695454443918504561785452568392916032"

_STRING = "1.3.6.1.4.1.1466.115.121.1.15"
_INTEGER = "1.3.6.1.4.1.1466.115.121.1.27"
_BOOLEAN = "1.3.6.1.4.1.1466.115.121.1.7"
_TIME = "1.3.6.1.4.1.1466.115.121.1.24"

_TEXT_RULES = "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch"
_NUMBER_RULES = "EQUALITY integerMatch ORDERING integerOrderingMatch"
_TIME_RULES = "EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch"


@dataclass(frozen=True)
class Attribute:
    """One attribute type; ``member`` is the standard's own."""

    number: int
    name: str
    says: str
    syntax: str = _STRING
    rules: str = _TEXT_RULES
    many: bool = False

    def definition(self) -> str:
        """In the notation of RFC 4512 section 4.1.2."""
        return (
            f"( {ARC}.1.{self.number} NAME '{self.name}' DESC '{self.says}' {self.rules} "
            f"SYNTAX {self.syntax} {'' if self.many else 'SINGLE-VALUE '})"
        )


@dataclass(frozen=True)
class Class:
    """One structural object class."""

    number: int
    name: str
    says: str
    must: tuple[str, ...]
    may: tuple[str, ...] = ()
    above: str = "top"

    def definition(self) -> str:
        """In the notation of RFC 4512 section 4.1.1."""
        may = f" MAY ( {' $ '.join(self.may)} )" if self.may else ""
        return (
            f"( {ARC}.2.{self.number} NAME '{self.name}' DESC '{self.says}' SUP {self.above} STRUCTURAL "
            f"MUST ( {' $ '.join(self.must)} ){may} )"
        )


ATTRIBUTES = (
    Attribute(1, "tallySubject", "random UUID, the name of a person outside the directory"),
    Attribute(2, "tallyNumber", "register number, rises with every entry", _INTEGER, _NUMBER_RULES),
    Attribute(3, "tallyNameZh", "name in Chinese script"),
    Attribute(4, "tallyOrganisation", "identifier of the organisation something belongs to"),
    Attribute(5, "tallyEnabled", "whether it may be used at all", _BOOLEAN, "EQUALITY booleanMatch"),
    Attribute(6, "tallyProofingLevel", "identity-proofing level, 0 to 3", _INTEGER, _NUMBER_RULES),
    Attribute(7, "tallyProofingDate", "day of the identity proofing", _TIME, _TIME_RULES),
    Attribute(8, "tallyProofingEvidence", "reference to the evidence of the identity proofing"),
    Attribute(9, "tallyClearance", "clearance, 0 to 3", _INTEGER, _NUMBER_RULES),
    Attribute(10, "tallyId", "identifier of an organisation, device or mandate"),
    Attribute(11, "tallyCreditCode", "unified social credit code (GB 32100-2015)"),
    Attribute(
        12, "tallyAgency", "whether the organisation is an agency of the city", _BOOLEAN, "EQUALITY booleanMatch"
    ),
    Attribute(13, "tallyHolder", "subject of the person who holds a mandate"),
    Attribute(14, "tallyScope", "what a mandate is for"),
    Attribute(15, "tallyUntil", "last day of a mandate", _TIME, _TIME_RULES),
    Attribute(16, "tallyHost", "host name of a portal"),
    Attribute(17, "tallyParent", "identifier of the agency that an organisation is a part of"),
    Attribute(18, "tallyDepartment", "identifier of the department that a post belongs to"),
    Attribute(19, "tallyPost", "identifier of the post that is held"),
    Attribute(20, "tallyGives", "name of a role that a post carries", many=True),
    Attribute(21, "tallyEntitlement", "what a portal lets somebody do: portal/name", many=True),
    Attribute(22, "tallyFrom", "first day", _TIME, _TIME_RULES),
    Attribute(23, "tallyGrantedBy", "subject of the person who gave it"),
    Attribute(24, "tallyReason", "why it was given"),
    Attribute(25, "tallyRoleName", "name of the role that was given"),
    Attribute(26, "tallyRolesUntil", "last days of roles that end, as role:day"),
    Attribute(27, "tallyState", "how a device fares: enrolled, healthy, lost, retired"),
    Attribute(28, "tallyPrincipal", "subject of the person for whom somebody may act"),
    Attribute(29, "tallyCapacity", "as what somebody represents a company"),
    Attribute(30, "tallyPortalName", "name of the portal where a service is offered"),
    Attribute(31, "tallyNumberIndex", "national number or credit code, keyed: to be found by, not to be read"),
    Attribute(32, "tallyNumberSealed", "national number or credit code, encrypted", rules="EQUALITY caseExactMatch"),
    Attribute(33, "tallyWaiting", "whether it has yet to take effect", _BOOLEAN, "EQUALITY booleanMatch"),
    Attribute(34, "tallyTitle", "what a role or a service is called"),
    Attribute(
        35, "tallyReleased", "let go by a program for which they are no longer there", _BOOLEAN, "EQUALITY booleanMatch"
    ),
    Attribute(36, "tallyRight", "what a device that speaks LDAP may read, as right:scope", many=True),
    Attribute(37, "tallyBarred", "serial of a certificate that was withdrawn", many=True),
)

_PERSON_MUST = ("tallySubject", "tallyNumber", "uid", "tallyEnabled", "tallyProofingLevel")
_NUMBER = ("tallyNumberIndex", "tallyNumberSealed")
_PERSON_MAY = (
    "tallyNameZh",
    "tallyProofingDate",
    "tallyProofingEvidence",
    "tallyRolesUntil",
    "tallyReleased",
    *_NUMBER,
)
_NAMED = ("tallyTitle", "tallyNameZh", "tallyEntitlement")
_GIVEN = ("tallyFrom", "tallyUntil", "tallyGrantedBy", "tallyReason", "tallyWaiting")

CLASSES = (
    Class(1, "tallyCitizen", "a citizen", _PERSON_MUST, _PERSON_MAY, above="inetOrgPerson"),
    Class(
        2,
        "tallyCivilServant",
        "a person who works for an agency",
        (*_PERSON_MUST, "tallyOrganisation", "tallyClearance"),
        _PERSON_MAY,
        above="inetOrgPerson",
    ),
    Class(
        3,
        "tallyOrganisationEntry",
        "an agency or a company",
        ("tallyId", "tallyNumber", "o", "tallyAgency"),
        # The code in clear is what earlier releases wrote.
        ("tallyNameZh", "tallyParent", "tallyCreditCode", "userCertificate", *_NUMBER),
    ),
    Class(
        4,
        "tallyDevice",
        "a device",
        ("tallyId", "tallyNumber", "cn", "tallyOrganisation", "tallyEnabled"),
        ("tallyState", "tallyHolder", "userCertificate", "tallyRight", "tallyBarred", "tallyUntil"),
    ),
    Class(5, "tallyPortal", "a portal behind the gateway", ("cn",), ("description", "tallyHost")),
    # groupOfNames demands a member; a role that nobody holds is an ordinary state.
    Class(6, "tallyRole", "a role and those who hold it", ("cn",), ("member", "description", *_NAMED)),
    Class(
        7,
        "tallyMandate",
        "the right of a person to act for an organisation or for another person",
        ("tallyId", "tallyHolder", "tallyScope", "tallyUntil"),
        ("tallyOrganisation", "tallyPrincipal", "tallyGrantedBy", "tallyReason", "tallyFrom"),
    ),
    Class(8, "tallyService", "a process of the site", ("cn", "userPassword"), ("description",)),
    # What it may hold comes with the standard's own pkiCA and deltaCRL (RFC 4523).
    Class(9, "tallyAuthority", "an authority that certifies", ("cn",), ("description",)),
    Class(
        10,
        "tallyDepartmentEntry",
        "a part of an agency",
        ("tallyId", "tallyNumber", "cn", "tallyOrganisation"),
        ("tallyNameZh", "tallyParent"),
    ),
    Class(
        11,
        "tallyPostEntry",
        "a place in an agency that somebody holds",
        ("tallyId", "tallyNumber", "cn", "tallyOrganisation"),
        ("tallyNameZh", "tallyDepartment", "tallyGives"),
    ),
    Class(
        12,
        "tallyHolding",
        "that somebody holds a post",
        ("tallyId", "tallyNumber", "tallyHolder", "tallyPost", "tallyFrom"),
        _GIVEN,
    ),
    Class(
        13,
        "tallyGrant",
        "a role or an entitlement given to one person",
        ("tallyId", "tallyNumber", "tallyHolder", "tallyFrom", "tallyUntil", "tallyReason"),
        (*_GIVEN, "tallyRoleName", "tallyEntitlement"),
    ),
    Class(
        14,
        "tallyRepresentation",
        "that somebody represents a company",
        ("tallyId", "tallyNumber", "tallyHolder", "tallyOrganisation", "tallyCapacity", "tallyFrom"),
        _GIVEN,
    ),
    Class(
        15,
        "tallyOffer",
        "a service that an agency offers",
        ("cn",),
        ("tallyTitle", "tallyNameZh", "tallyOrganisation", "tallyPortalName"),
    ),
)


def ldif() -> str:
    """The schema as an entry of ``cn=config``."""
    attributes = "".join(f"olcAttributeTypes: {a.definition()}\n" for a in ATTRIBUTES)
    classes = "".join(f"olcObjectClasses: {c.definition()}\n" for c in CLASSES)
    return "dn: cn=tallygate,cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: tallygate\n" + attributes + classes
