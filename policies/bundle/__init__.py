# SPDX-License-Identifier: Apache-2.0
"""Signed bundles: a folder per version, and one file that says which is in force and proves it.

``current`` has two lines: the canonical manifest (JSON, sorted, no spaces) with the SHA-256 of every file, and the
base64 of its Ed25519 signature. It is replaced in one step after the version's folder is complete, so a crash leaves
the old release or the new one. What it held before goes into its own version's folder, so that an earlier version can
be proved and released again: as a newer one, for whoever saw a newer release refuses an older. The folder itself is
not trusted: whoever changes it gains nothing but a refusal.

The journal lies where the release key does. It holds the manifest of a release under way and why it was not tried,
from before its intent until after its outcome, so that one that was cut off gets its outcome too.
"""

from .manifest import CURRENT as CURRENT
from .manifest import JOURNAL as JOURNAL
from .manifest import SHADOW as SHADOW
from .manifest import Manifest as Manifest
from .manifest import digests as digests
from .manifest import history as history
from .manifest import read_approvals as read_approvals
from .manifest import read_current as read_current
from .manifest import read_files as read_files
from .manifest import read_manifest as read_manifest
from .manifest import read_shadow as read_shadow
from .manifest import read_source as read_source
from .manifest import read_version as read_version
from .releasing import release as release
from .releasing import replay as replay
from .trial import demand_shadow as demand_shadow
from .trial import end_shadow as end_shadow
from .trial import put_in_shadow as put_in_shadow
