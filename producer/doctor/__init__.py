"""``checks`` and ``places`` are what is looked at, ``findings`` what is said of it."""
