"""Which instant a play has: each gets one, once and for all, whether it is polled or imported first.

``reconciling`` decides for the rows of an export, ``listing`` for what Spotify lists; both compare by
``candidates`` and ``matching``. ``doubles`` finds rows that are no plays, ``far`` what the two kinds of export put
hours apart. ``rows`` holds what is compared, ``remembered`` what the state keeps for it, ``newest`` finds that.
"""
