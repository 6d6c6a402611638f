# SPDX-License-Identifier: Apache-2.0
"""What certificates of the site are worth to whoever is shown one, from the site's own public files."""

from .presented import LONGEST as LONGEST
from .presented import CertificateVerifier as CertificateVerifier
from .presented import Purpose as Purpose
from .published import PublishedStatus as PublishedStatus
