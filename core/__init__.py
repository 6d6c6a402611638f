# SPDX-License-Identifier: Apache-2.0
"""What has no owner: errors, clock, configuration, database, role-to-role calls and the web base.

Owns no table. Trusts nobody. No domain noun ever appears here: no certificate, no citizen, no policy.
Import its rooms directly (`core.errors`, `core.clock`, ...).
"""
