"""``checks`` is what is looked at, ``findings`` what is said of it."""
