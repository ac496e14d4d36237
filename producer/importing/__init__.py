"""``importer`` leads, ``exports`` reads, ``found`` holds what counts, ``known_plays`` asks the archive.

``writing`` writes; ``report`` and ``progress`` tell.
"""
