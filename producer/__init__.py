"""Gets plays from Spotify, and from its exports, to Pub/Sub or to an archive. Imports no Beam."""
