# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with policies; a denied request is not an error but an answer (`Decision`).

Internal
├── PoliciesUnusable    policy_unusable     they do not parse, validate, lint or pass their own tests
└── BundleRefused       policy_bundle       a bundle is unsigned, tampered with or older than the one in force
Conflict
├── NothingToRelease    policy_unchanged    the version to release is already in force
├── NeverTried          policy_untried      it was never tried in shadow
├── TriedTooShort       policy_trial_short  it was tried in shadow for less time than was signed
├── Unsound             policy_unsound      a draft does not build, or its cases fail, so it cannot be proposed
├── TooFewSigned        policy_too_few      too few administrators signed a proposal
├── NoAdministrators    policy_unsigned     the site names no administrators whose signatures could count
└── DraftMoved          policy_draft        a draft is no longer what the page showed, or not where the step begins
Invalid
├── WrongSignature      policy_signature    a signature is not this administrator's over this proposal
└── BadDraft            policy_file         a draft's file has a name or a size that no release can have
NotFound
└── NoSuchDraft         policy_no_draft     there is no such draft
"""

from core.errors import N_, Conflict, Internal, Invalid, NotFound


class PoliciesUnusable(Internal):
    """The policies do not parse, validate, lint or pass their own tests; what was in force stays in force."""

    code = "policy_unusable"
    message = N_("The policies cannot be used: %(why)s")


class BundleRefused(Internal):
    """A bundle is unsigned, tampered with, or older than the one in force."""

    code = "policy_bundle"
    message = N_("The policy bundle is refused: %(why)s")


class NothingToRelease(Conflict):
    """The same content is already released."""

    code = "policy_unchanged"
    message = N_("These policies are already in force as version %(version)s.")


class NeverTried(Conflict):
    """These files were never tried in shadow, so nobody saw what they change on live questions."""

    code = "policy_untried"
    message = N_("These policies were never tried in shadow. Try them first, or say why there is no time for it.")


class TriedTooShort(Conflict):
    """The administrators signed that these files are to be tried for longer than they were."""

    code = "policy_trial_short"
    message = N_(
        "These policies were tried in shadow for %(seconds)s seconds; what was signed demands %(demanded)s. "
        "Go on trying them, or have another proposal signed."
    )


class Unsound(Conflict):
    """A draft does not build, fails its cases, or has a policy without an owner or a reason."""

    code = "policy_unsound"
    message = N_("This draft cannot go on yet: %(why)s")


class TooFewSigned(Conflict):
    """An act needs the signatures of more security administrators."""

    code = "policy_too_few"
    message = N_("This needs the signatures of %(needed)s security administrators. So far there are %(signed)s.")


class NoAdministrators(Conflict):
    """The site's configuration names no security administrators, so no signature on the page could count."""

    code = "policy_unsigned"
    message = N_(
        "This site names no security administrators with keys of their own. Until it does, its operator alone releases."
    )


class DraftMoved(Conflict):
    """The draft was changed meanwhile, or the step does not begin where it stands."""

    code = "policy_draft"
    message = N_("This draft is not where that step begins. Look at it again.")


class WrongSignature(Invalid):
    """The signature is not by this administrator's key over this very proposal."""

    code = "policy_signature"
    message = N_("This is not your signature of this proposal. Sign the statement shown here with your own key.")


class BadDraft(Invalid):
    """A file's name, or what is in it, cannot be part of a release."""

    code = "policy_file"
    message = N_("“%(name)s” cannot be a file of policies: it has another name, is no text or is too long.")


class NoSuchDraft(NotFound):
    """Nobody began a draft of this name, or no version of this name was ever in force."""

    code = "policy_no_draft"
    message = N_("There is no such draft or version of the policies.")
