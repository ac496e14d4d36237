"""A person's plays out of the archive and out of the tables."""
