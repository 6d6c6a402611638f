# SPDX-License-Identifier: Apache-2.0
"""What programs may ask of the authority, as OpenAPI 3.1; the tests hold the interface to it.

Public facts have the formats of RFC 5280 (certificates, revocation lists) and RFC 6960 (OCSP). The verbs over
certificates are for other roles of the site; which role has which business is said in `ca.service.callers`. Those of
registration are for officers and holders, whom the gateway names, by the rules of the pages.
"""

from .document import description as description
