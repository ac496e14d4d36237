"""Watching: ``items`` are the playlists and artists that are watched, ``snapshot`` asks about those that are due."""
