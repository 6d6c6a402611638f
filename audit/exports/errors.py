# SPDX-License-Identifier: Apache-2.0
"""Errors of exporting.

NotFound
└── NoSuchTarget     the settings name no such target
Invalid
├── BadReplay        a replay would begin beyond the log's end
└── ExportBroken     a signed export is not what was signed, or does not continue the one before
Unavailable
├── PeerSilent       a target does not take what it is sent
├── PeerUntrusted    a target could not show that it is the one the settings mean
└── PeerForbidden    a target's address is not one we may send to
"""

from core.errors import N_, Invalid, NotFound, Unavailable


class NoSuchTarget(NotFound):
    """The settings name no such target."""

    code = "no_such_target"
    message = N_("There is no such export target.")


class BadReplay(Invalid):
    """A replay begins at an entry that exists."""

    code = "bad_replay"
    message = N_("The record has no entry %(index)s from which to send again.")


class ExportBroken(Invalid):
    """A file is not the signed export it says it is; ``why`` says where it fails."""

    code = "export_broken"
    message = N_("The signed export does not hold: %(why)s")


class PeerSilent(Unavailable):
    """A target does not take what it is sent; ``why`` says what happened, ``wait`` for how many seconds it asked."""

    code = "export_peer_silent"
    message = N_("An export target does not take entries: %(why)s")


class PeerUntrusted(Unavailable):
    """A target's certificate is not one the settings trust."""

    code = "export_peer_untrusted"
    message = N_("An export target could not show that it is the one that is meant: %(why)s")


class PeerForbidden(Unavailable):
    """A webhook leads to an address that is not public."""

    code = "export_peer_forbidden"
    message = N_("An export target lies at an address to which nothing is sent: %(why)s")
