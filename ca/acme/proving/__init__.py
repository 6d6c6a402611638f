# SPDX-License-Identifier: Apache-2.0
"""Whether a client controls what it says: one module for each method, and the one way from here to the network.

The authority goes where a client sends it, so nothing here connects to an address that the site has not allowed, and
nothing waits or reads longer than it said it would.
"""

from .network import Network as Network
from .network import key_authorization as key_authorization
from .prover import Prover as Prover
