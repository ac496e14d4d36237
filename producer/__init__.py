"""Gets plays from Spotify, and from its exports, to Pub/Sub or to an archive. Imports no Beam.

``__main__`` and ``commands`` read the command line and hand over to

- ``accounts``: a person agrees on Spotify's page, once for each account; what that gave, and how it goes again;
- ``polling``: what Spotify lists, published again and again;
- ``importing``: exports, and which of their plays are known already;
- ``watching``: playlists and artists, asked about again and again;
- ``enriching``: what open sources know of what was heard;
- ``doctor``: what is wrong, and the remedy.

These stand on ``spotify`` (asking Spotify), ``sources`` (asking open sources), ``state`` (how far each account was
read), ``identity`` (which play is which) and ``snapshots`` (asking within a budget, and what is on its way). What is
told to the user is a ``pipelines.failure.Failure``, raised and named where it goes wrong.
"""
