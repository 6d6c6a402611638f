# SPDX-License-Identifier: Apache-2.0
"""The only holder of issuing keys, with one typed door per kind of signature.

Nothing else in the repository opens ``state/ca/keys``. A certificate is signed only for a `LintedDraft` that carries
this signer's seal and was not used before; lists and answers are signed only as the builders of those types.
"""

from .keys import KeyFolder as KeyFolder
from .keys import Responder as Responder
from .signer import Signer as Signer
