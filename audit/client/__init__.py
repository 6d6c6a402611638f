# SPDX-License-Identifier: Apache-2.0
"""What other roles hold in their hands: the way into the log, the news from it, and a thread that follows them."""

from .feed import LATEST as LATEST
from .feed import FeedClient as FeedClient
from .follower import PATIENCE as PATIENCE
from .follower import Follower as Follower
from .recorder import RecorderClient as RecorderClient
from .stating import state as state
from .together import Together as Together
