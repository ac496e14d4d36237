"""Logging in: ``flow`` leads through it, ``redirect`` is where the browser comes back to."""
