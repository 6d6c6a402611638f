# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with policies; a denied request is not an error but an answer (`Decision`).

Internal
├── PoliciesUnusable    policy_unusable     they do not parse, validate, lint or pass their own tests
└── BundleRefused       policy_bundle       a bundle is unsigned, tampered with or older than the one in force
Conflict
└── NothingToRelease    policy_unchanged    the version to release is already in force
"""

from core.errors import N_, Conflict, Internal


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
