"""Gets plays from Spotify, and from its exports, to Pub/Sub or to an archive. Imports no Beam.

``__main__`` and ``commands`` read the command line and hand over to

- ``accounts``: a person agrees on Spotify's page, once for each account; what that gave, and how it goes again;
- ``polling``: what Spotify lists, published again and again;
- ``importing``: exports, and which of their plays are known already;
- ``doctor``: what is wrong, and the remedy.

These stand on ``spotify`` (asking Spotify), ``state`` (how far each account was read) and ``identity`` (which play is
which). What is told to the user is a ``pipelines.failure.Failure``, raised and named where it goes wrong.
"""
