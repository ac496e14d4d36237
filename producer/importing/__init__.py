"""Exports into the archive: ``importer`` leads.

``finding`` finds files, ``containers`` opens them, ``decoding`` and ``exports`` tell their rows, ``owners`` whose they
are. ``known_plays`` asks the archive, ``writing`` writes; ``report`` and ``progress`` tell.
"""
