# SPDX-License-Identifier: Apache-2.0
"""The full check of a log, offline, trusting nothing but its verifier key."""

from .claims import Report as Report
from .claims import claims as claims
from .whole import PRUNES as PRUNES
from .whole import verify as verify
from .whole import verify_chain_of as verify_chain_of
from .whole import verify_folder as verify_folder
from .whole import verify_logs as verify_logs
from .whole import verify_url as verify_url
