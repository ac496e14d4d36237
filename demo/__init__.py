"""Stands in for the outside world on one machine: a Spotify look-alike and a small Pub/Sub. Never shipped."""
