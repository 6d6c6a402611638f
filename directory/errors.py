# SPDX-License-Identifier: Apache-2.0
"""Errors of the directory.

Unauthenticated
└── WrongCredentials        unknown, disabled, wrong or empty: one answer for all
NotFound
├── NoSuchPerson
├── NoSuchOrganisation
├── NoSuchDevice
├── NoSuchChange
├── NoSuchPost
├── NoSuchDepartment
├── NoSuchCampaign
├── NoSuchProgram           no program of that name is let do anything
└── NoSuchGrant             a grant, a post that is held, a mandate, a representation
Invalid
├── BadName                 what cannot be a name of this directory
├── NoSuchRole
├── UnreadableCertificate   no certificate or list that an entry could hold
├── RolesClash              two roles on one post that nobody may hold together
├── BadNumber               a check digit is wrong, or it is somebody else's
├── BadBackupKey            a file holds no key of backups
├── BadRight                a right that there is not, or that shows nothing alone
├── NoReason                what is given needs a reason
├── NotEnoughEvidence       the rules of a level ask for other evidence
├── BadDays                 it would be over before it begins
├── NoSuchEntitlement       no portal of that name, or no name that a portal could know
├── BadFilter, BadPath, NoTarget, ReadOnly, BadPatch, BadCursor, StaleCursor, TooBroad
│                           what a SCIM client cannot ask for or change
├── WeakPassword            too short, too long, easy to guess, or used before
└── UnreadableImport        not CSV or LDIF at all
Conflict
├── BrokenBackup, BeyondBackup
│                           not what was sealed; a moment that it does not lead to
├── DutiesConflict          three powers, three people
├── RoleNotForCitizens
├── ContractorTerms         a contractor's account without an end, or with anything beside its one portal
├── RoleFromPost            it comes with a post, and goes with it
├── AlreadyGiven
├── DecidedAlready          by somebody else, or the last day is over
├── StillInUse              what others hang on cannot be removed
├── TooManyPeople              more people than one change can carry along
├── DeviceIsOut             lost or retired
├── DeviceBarred            a certificate of this identity was withdrawn
├── NotMigrated             the tree is an older one
└── ChangedSince            what was to be undone has been changed again, or was settled already
Forbidden
├── OwnRole                 nobody gives powers to themselves
├── NotTheOwner             of an access under review, or of one's own
├── SecondOfficer           the two must be two people, of two families
├── TwoAdministrators       one asks for a contractor, another one approves
├── NotRepresenting         a company they do not represent, or only as its agent
├── ProgramNotLet           a program, and what nobody wrote down for it
└── BeyondScope             an agency's administrator, and something of the whole site
Unavailable
├── DirectoryUnavailable    slapd did not answer; nothing happened
└── Pending                 decided and recorded, carried out as soon as slapd answers
Internal
├── NumberSealed            a sealed number that does not open
└── DirectoryRefused        slapd refused what we hold to be right
"""

from core.errors import N_, Conflict, Forbidden, Internal, Invalid, NotFound, Unauthenticated, Unavailable


class WrongCredentials(Unauthenticated):
    """Which of the possible reasons it was is never said."""

    code = "wrong_credentials"
    message = N_("User name or password is wrong, or the account cannot be used.")


class NoSuchPerson(NotFound):
    """Nobody has this subject or user name, or the asking role may not see it."""

    code = "no_such_person"
    message = N_("There is no such person in the directory.")


class NoSuchOrganisation(NotFound):
    """No organisation has this identifier."""

    code = "no_such_organisation"
    message = N_("There is no such organisation in the directory.")


class NoSuchDevice(NotFound):
    """No device has this identifier."""

    code = "no_such_device"
    message = N_("There is no such device in the directory.")


class NoSuchChange(NotFound):
    """No unrecorded change has this number."""

    code = "no_such_change"
    message = N_("There is no such change.")


class NoSuchPost(NotFound):
    """No post has this identifier, or it lies elsewhere."""

    code = "no_such_post"
    message = N_("There is no such post in the directory.")


class NoSuchDepartment(NotFound):
    """No department has this identifier, or it lies in another agency."""

    code = "no_such_department"
    message = N_("There is no such department in the directory.")


class NoSuchGrant(NotFound):
    """Nothing of this identifier was given, or it was taken back."""

    code = "no_such_grant"
    message = N_("This was never given, or has been taken back already.")


class BadFilter(Invalid):
    """A SCIM filter that cannot be read, or asks for what cannot be searched for."""

    code = "scim_bad_filter"
    message = N_("This filter cannot be read, or asks for an attribute that cannot be searched for.")


class BadPath(Invalid):
    """A SCIM change of an attribute that is not there."""

    code = "scim_bad_path"
    message = N_("There is no such attribute: “%(field)s”.")


class NoTarget(BadPath):
    """A SCIM change of an element that is not in the list."""

    code = "scim_no_target"
    message = N_("Nothing there fits “%(field)s”.")


class BadCursor(Invalid):
    """A cursor that this service did not give out, or gave out for another filter (RFC 9865)."""

    code = "scim_bad_cursor"
    message = N_("This is no cursor of this list.")


class StaleCursor(Invalid):
    """A cursor that is too old (RFC 9865)."""

    code = "scim_stale_cursor"
    message = N_("This cursor is too old. Begin the list again.")


class TooBroad(Invalid):
    """Too much would have to be counted or sorted."""

    code = "scim_too_many"
    message = N_("Too many entries would have to be counted. Ask for less, or page by cursor.")


class ReadOnly(Invalid):
    """A SCIM change of an attribute that no client may change."""

    code = "scim_read_only"
    message = N_("The attribute “%(field)s” cannot be changed in this way.")


class BadPatch(Invalid):
    """A SCIM value that cannot be."""

    code = "scim_bad_value"
    message = N_("The value of “%(field)s” is missing or cannot be.")


class RolesClash(Invalid):
    """A post was to carry two roles that nobody may hold together, so nobody could ever hold it."""

    code = "roles_clash"
    message = N_("These roles must be kept apart, so nobody could hold this post.")


class BadNumber(Invalid):
    """A national number whose check character is wrong, or that another entry has."""

    code = "bad_number"
    message = N_("This is no national number, or another person has it.")


class NoReason(Invalid):
    """What is given needs a reason that can be read later."""

    code = "no_reason"
    message = N_("Please say why, in at most 500 characters.")


class BadDays(Invalid):
    """The last day lies before the first, or in the past."""

    code = "bad_days"
    message = N_("The last day must not lie before the first one, nor in the past.")


class NoSuchEntitlement(Invalid):
    """It is not written as portal/name, or the site has no such portal."""

    code = "no_such_entitlement"
    message = N_("There is no entitlement “%(entitlement)s” that could be granted.")


class BadName(Invalid):
    """An identifier or name holds characters it cannot hold."""

    code = "bad_name"
    message = N_("This cannot be a name in the directory.")


class NoSuchRole(Invalid):
    """The role is not one that can be granted."""

    code = "no_such_role"
    message = N_("There is no role “%(role)s” that could be granted.")


class WeakPassword(Invalid):
    """The directory's password policy refuses it."""

    code = "weak_password"
    message = N_(
        "This password is too short, too long, easy to guess or has been used before. Please choose another one."
    )


class KnownPassword(WeakPassword):
    """It is one that everybody tries, or stands in the site's list of breached ones."""

    code = "known_password"
    message = N_(
        "This password stands in lists of stolen or common passwords, which attackers try first. "
        "Please choose another one."
    )


class UnreadableBreaches(Invalid):
    """A list of breached passwords that is none; ``line`` is where, 0 for the whole."""

    code = "unreadable_breaches"
    message = N_("This is no list of breached passwords in ascending order (line %(line)s).")


class UnreadableCertificate(Invalid):
    """What is to be published is no certificate or revocation list, is too long, or there are too many."""

    code = "unreadable_certificate"
    message = N_("This cannot be published in the directory: no certificate, no list, or too much.")


class UnreadableImport(Invalid):
    """The file as a whole cannot be read."""

    code = "unreadable_import"
    message = N_("This file cannot be imported: %(why)s")


class DutiesConflict(Conflict):
    """Separation of duties (三权分立): nobody holds two roles that must be kept apart."""

    code = "duties_conflict"
    message = N_(
        "This person already holds a role that must be kept apart from this one. Security officer, security "
        "administrator and administrators of the directory must be different people, and no security officer "
        "registers identities."
    )


class ContractorTerms(Conflict):
    """``days`` is the longest it may last."""

    code = "contractor_terms"
    message = N_(
        "A contractor's account is bound to one portal and ends within %(days)s days: name its last day, and let it "
        "hold nothing else. It is no civil servant's."
    )


class RoleNotForCitizens(Conflict):
    """Official roles belong to civil servants."""

    code = "role_not_for_citizens"
    message = N_("Only a civil servant can hold this role.")


class RoleFromPost(Conflict):
    """The role comes with a post that the person holds; only the post can be taken away."""

    code = "role_from_post"
    message = N_("This role comes with a post. Take the post away, or the role from the post.")


class AlreadyGiven(Conflict):
    """The same is held already."""

    code = "already_given"
    message = N_("This is held already.")


class StillInUse(Conflict):
    """Something else depends on what was to be removed."""

    code = "still_in_use"
    message = N_("Something else still depends on this.")


class TooManyPeople(Conflict):
    """A change would concern more people than one change can carry along."""

    code = "too_many_people"
    message = N_("This would concern too many people at once.")


class DeviceIsOut(Conflict):
    """A lost or retired device is not let in again by enabling it."""

    code = "device_is_out"
    message = N_("This device is lost or retired. A lost one has to be found first; a retired one never comes back.")


class DeviceBarred(Conflict):
    """A certificate of this identity was withdrawn; slapd could not tell it from the next one."""

    code = "device_barred"
    message = N_(
        "A certificate of this device was withdrawn, so this identity cannot read by LDAP any more. Enter a new device "
        "and give it a certificate of its own."
    )


class BadRight(Invalid):
    """No right, an unknown one, or one that shows nothing to whom people's entries do not exist."""

    code = "bad_right"
    message = N_("Choose at least one right. User names, addresses and roles need the right to see people.")


class NotMigrated(Conflict):
    """The tree has memberships from before there were grants; they would be taken for mistakes."""

    code = "not_migrated"
    message = N_("This directory is of an earlier release. Run tallygate directory migrate first.")


class ChangedSince(Conflict):
    """The entry is no longer as the unrecorded change left it, so taking that back would take back more."""

    code = "changed_since"
    message = N_("This has been changed again since, or is settled already. Look at the entry as it is now.")


class OwnRole(Forbidden):
    """An administrator tried to raise their own powers."""

    code = "own_role"
    message = N_("You cannot change your own roles or re-enable yourself. Another administrator has to do it.")


class BeyondScope(Forbidden):
    """It lies outside the part of the directory that this administrator has."""

    code = "beyond_scope"
    message = N_("This is outside the part of the directory that you administer.")


class NotRepresenting(Forbidden):
    """They do not represent the company, or only as an agent, who gives no mandates."""

    code = "not_representing"
    message = N_("You cannot give mandates for this company. Its legal representative or a manager can.")


class DirectoryUnavailable(Unavailable):
    """The LDAP server did not answer; nothing was changed."""

    code = "directory_unavailable"
    message = N_("The directory does not answer at the moment. Please try again shortly.")


class Pending(Unavailable):
    """The act is decided and recorded; it is carried out as soon as the LDAP server answers."""

    code = "directory_pending"
    message = N_("This is decided and recorded; it takes full effect as soon as the directory answers again.")


class BadBackupKey(Invalid):
    """A file that should hold a key of backups holds something else."""

    code = "bad_backup_key"
    message = N_("This file holds no key of the kind that is needed here.")


class WrongBackupKey(Forbidden):
    """The backup was sealed to another key."""

    code = "wrong_backup_key"
    message = N_("This key does not open this backup.")


class BrokenBackup(Conflict):
    """A part of a backup is missing, cut off or changed; nothing of it is used."""

    code = "broken_backup"
    message = N_("This backup is not whole: %(part)s is missing or was changed. Nothing was restored.")


class BeyondBackup(Conflict):
    """The moment is before the backup, or after the last change that is known, or changes between are missing."""

    code = "beyond_backup"
    message = N_("This moment cannot be reached from this backup: %(why)s")


class NumberSealed(Internal):
    """A sealed number does not open: another entry's, changed, or sealed with another key."""

    code = "number_sealed"


class DirectoryRefused(Internal):
    """The LDAP server refused an operation that should be right; the cause holds its words."""

    code = "directory_refused"


class NoSuchCampaign(NotFound):
    """No review has this identifier."""

    code = "no_such_campaign"
    message = N_("There is no such review.")


class NotEnoughEvidence(Invalid):
    """No rule leads from this evidence, met in this way, to this level."""

    code = "not_enough_evidence"
    message = N_("This evidence is not enough for this level, or cannot lead to it in this way.")


class DecidedAlready(Conflict):
    """A decision is made once, and by its last day."""

    code = "decided_already"
    message = N_("This has been decided already, or its last day is over.")


class NotTheOwner(Forbidden):
    """Whoever answers for an access decides about it, and nobody about their own."""

    code = "not_the_owner"
    message = N_("Somebody else decides about this access. Nobody decides about their own.")


class SecondOfficer(Forbidden):
    """The officer who agrees is another one, and not of the person's family name."""

    code = "second_officer"
    message = N_("A second officer has to do this: not whoever began, and nobody of this person's family name.")


class TwoAdministrators(Forbidden):
    """What binds a contractor to a portal is asked for by one administrator and given by another."""

    code = "two_administrators"
    message = N_("A contractor's account is asked for on the page “Contractors” and approved by another administrator.")


class NoSuchProgram(NotFound):
    """No program of this name is let do anything."""

    code = "no_such_program"
    message = N_("There is no such program, or it has been ended already.")


class ProgramNotLet(Forbidden):
    """Nobody let this program do that, or it was ended, or its last day is over."""

    code = "program_not_let"
    message = N_("This program is not allowed to do that.")
