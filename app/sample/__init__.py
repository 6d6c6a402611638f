# SPDX-License-Identifier: Apache-2.0
"""What the demo fills a new site with: made-up people, agencies, companies and devices."""
