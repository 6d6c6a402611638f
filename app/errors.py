# SPDX-License-Identifier: Apache-2.0
"""What several commands have to say to who typed them; errors of one command stand where it is.

Invalid
└── UnknownRole    `tallygate serve` was given a name that no role has
Conflict
└── NotBorn        the command needs a site, and here is only its configuration
"""

from core.errors import N_, Conflict, Invalid


class UnknownRole(Invalid):
    """No role of that name can be run."""

    code = "unknown_role"
    message = N_("There is no role %(role)s. There are: %(known)s.")


class NotBorn(Conflict):
    """There is no finished site here."""

    code = "not_born"
    message = N_("There is no site here yet. Run “tallygate init” first.")
