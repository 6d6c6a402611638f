# SPDX-License-Identifier: Apache-2.0
"""What can be proved about a signature, whatever file it came in: keys, certificates, revocation, time-stamps, CMS.

Nothing here knows a file format; ``pades`` and ``formats`` do, and both ask here.
"""

from . import asn1 as asn1
