# SPDX-License-Identifier: Apache-2.0
"""One module per role: `application(context)` composes the role, `found(context, ...)` is its part in a site's birth."""
