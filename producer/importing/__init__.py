"""``exports`` and ``rows`` read, ``importer`` leads, ``report`` and ``progress`` tell.

``known_plays``, ``candidates``, ``matching`` and ``reconciling`` decide which instant a row has.
"""
