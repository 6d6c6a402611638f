# SPDX-License-Identifier: Apache-2.0
"""Processes that lint for the authority and only compute: drafts under a throw-away key go in, findings come out.

pkilint takes most of what one certificate costs, and holds the interpreter meanwhile. A helper has no state, no files,
no key and no name; the mark on a draft that passed is still pressed by its signer's own process.
"""

from .pool import Press as Press
