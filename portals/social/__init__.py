# SPDX-License-Identifier: Apache-2.0
"""The social insurance portal: how long a person has paid in, and on which basis."""

from core.errors import N_

from ..base import Portal
from .content import contributions

PORTAL = Portal(
    name="social",
    title=N_("Social insurance"),
    lead=N_("See how many months you and your employer paid into pension, medical and unemployment insurance."),
    template="social.html",
    content=contributions,
    mandates=True,
)
