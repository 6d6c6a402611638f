# SPDX-License-Identifier: Apache-2.0
"""A verdict in other forms than JSON: XML for archives (ETSI TS 119 102-2), and PDF for a paper file.

Each is made from the verdict's one JSON text and nothing else, so none can say what the others do not.
"""

from .etsi import xml as xml
