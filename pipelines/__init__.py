"""Plays into an archive, tables and monthly top tens: see README.md for the picture."""
