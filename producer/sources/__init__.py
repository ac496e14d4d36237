"""Open sources, a small client each: ``musicbrainz``, ``listenbrainz``, ``coverart``; ``polite`` is how they ask."""
