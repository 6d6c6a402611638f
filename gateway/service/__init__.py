# SPDX-License-Identifier: Apache-2.0
"""The verbs of the gateway."""

from .nginx import as_root as as_root
from .nginx import command as command
from .nginx import prepare as prepare
