# SPDX-License-Identifier: Apache-2.0
"""What people log in with beside a password, as pure functions: no I/O, no clock, no randomness of their own.

What a login proves is read from its methods (RFC 8176), which travel in the session and its tokens.
"""

from collections.abc import Iterable

# A card's key cannot be seen from here: "sc" says that a card's certificate was used, and no more.
CARD = ("sc",)
PASSWORD = ("pwd",)
# "mfa" only where both factors count: one that was set up a moment ago does not yet.
PASSWORD_AND_CODE = ("pwd", "otp", "mfa")
PASSWORD_AND_FRESH_CODE = ("pwd", "otp")
# "swk": nobody has shown that the key cannot be copied. "user": the device knew its holder, by PIN or by body.
PASSKEY = ("swk", "user", "mfa")
FRESH_PASSKEY = ("swk", "user")


def strength(methods: Iterable[str]) -> int:
    """What a login proves at best: 1 one factor, 2 two of them, 3 a key that an office handed over on a card."""
    used = set(methods)
    return 3 if "sc" in used or {"upstream", "hwk"} <= used else 2 if "mfa" in used else 1


def own_strength(methods: Iterable[str]) -> int:
    """What was proved here, of it: another provider's word changes nothing that people log in with here."""
    used = set(methods)
    return strength(used) if "upstream" not in used or "user" in used else 1
