"""Enriching: ``known`` is what sources were asked before, the other modules ask each source for the rest."""
