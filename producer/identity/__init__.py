"""Which instant a play has: each gets one, once and for all, whether it is polled or imported first.

``reconciling`` decides for the rows of an export, ``listing`` for what Spotify lists; both compare by
``candidates`` and ``matching``. ``rows`` holds what is compared, ``remembered`` what the state keeps for it.
"""
