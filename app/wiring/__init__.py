# SPDX-License-Identifier: Apache-2.0
"""One module per role: `application(context)` composes it, `found(context, recorder)` is its part in a site's birth."""
