# SPDX-License-Identifier: Apache-2.0
"""First figures: whole operations on a running city, each beside what the machine does bare. See docs/benchmarks.md."""
