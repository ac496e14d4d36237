"""``exports`` reads, ``importer`` leads, ``known_plays`` asks the archive, ``report`` and ``progress`` tell."""
