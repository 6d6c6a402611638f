# SPDX-License-Identifier: Apache-2.0
"""Out: the published log in the languages of other systems, and in files that prove themselves.

Owns ``state/audit/exports.db`` (where each target stands, which files were made) and the folder of signed exports.
Trusts nothing that comes back from a target. What never happens here: an entry is not skipped because its target was
slow or down, and no personal part leaves without a standing warrant of two officers.
"""

from .desk import ALLOWED_FOR as ALLOWED_FOR
from .desk import LISTED as LISTED
from .desk import ExportDesk as ExportDesk
from .errors import BadReplay as BadReplay
from .errors import ExportBroken as ExportBroken
from .errors import NoSuchTarget as NoSuchTarget
from .errors import PeerForbidden as PeerForbidden
from .errors import PeerSilent as PeerSilent
from .errors import PeerUntrusted as PeerUntrusted
from .exporter import EVERY as EVERY
from .exporter import Exporter as Exporter
from .exporter import Standing as Standing
from .peers import peer_of as peer_of
from .signed import Manifest as Manifest
from .signed import SignedExports as SignedExports
from .signed import verify_chain as verify_chain
from .signed import verify_export as verify_export
from .signed import verify_series as verify_series
from .source import PublishedSource as PublishedSource
from .store import ExportStore as ExportStore
from .store import SignedExport as SignedExport
