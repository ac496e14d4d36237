"""Benchmarks. ``make bench`` runs them; README.md says what they measure, and what they measured."""
