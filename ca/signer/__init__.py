# SPDX-License-Identifier: Apache-2.0
"""The only holder of issuing keys, with one typed door per kind of signature.

| door                       | takes                                                                    |
| -------------------------- | ------------------------------------------------------------------------ |
| ``Signer.certificate``     | a `LintedDraft` that carries this signer's seal and was not used before  |
| ``Signer.crl``             | the draft of a revocation list                                           |
| ``Signer.answer``          | the draft of an OCSP answer; a delegate's key signs                      |
| ``StampSigner.stamp``      | the signed attributes of a TSTInfo; the key of a time-stamping unit signs |
| ``DeliverySigner.deliver`` | the signed attributes of a key package; the EST server's own key signs   |

Nothing else in the repository opens ``state/ca/keys`` or a unit. Nobody but service and ceremony may import this room
(contract ``signer``).
"""

from .delivering import DeliverySigner as DeliverySigner
from .keys import KeyFolder as KeyFolder
from .keys import Responder as Responder
from .signer import Signer as Signer
from .stamping import StampSigner as StampSigner
