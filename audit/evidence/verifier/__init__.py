# SPDX-License-Identifier: Apache-2.0
"""What checks an evidence file, apart from all other code: copied into every file, and usable by `tallygate verify`."""

from .verify_evidence import Anchors as Anchors
from .verify_evidence import Verdict as Verdict
from .verify_evidence import verify as verify
