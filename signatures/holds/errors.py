# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with keys that are kept.

TallygateError
├── Conflict
│   └── KeyGone             there is no such key, or it is not what was kept
└── Unavailable
    └── HoldUnavailable     the token is out, locked, or does not answer
        └── KindNotKept     it keeps no keys of this kind
"""

from core.errors import N_, Conflict, Unavailable


class KeyGone(Conflict):
    """There is no such key any more."""

    code = "signing_key_gone"
    message = N_("The key for this signature is not here any more. Please have a new certificate made.")


class HoldUnavailable(Unavailable):
    """The keys cannot be reached; nothing was signed."""

    code = "key_hold_unavailable"
    message = N_("The keys that are kept for signing cannot be reached at the moment. Nothing was signed.")


class KindNotKept(HoldUnavailable):
    """Such a key would have to lie elsewhere."""

    code = "key_kind_not_kept"
    message = N_("The token of this site cannot keep signing keys of this kind. None was made.")
