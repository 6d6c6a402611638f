# SPDX-License-Identifier: Apache-2.0
"""What programs may ask of the authority, as OpenAPI 3.1; the tests hold the interface to it."""

from .document import description as description
