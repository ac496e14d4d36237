"""Gets plays from Spotify, and from its exports, to Pub/Sub or to an archive. Imports no Beam.

``__main__`` and ``commands`` read the command line and hand over to

- ``login``: a person agrees on Spotify's page, once for each account;
- ``polling``: what Spotify lists, published again and again;
- ``importing``: exports, and which of their plays are known already;
- ``doctor``: what is wrong, and the remedy;
- ``logout``: an account forgotten here.

These stand on ``spotify`` (asking Spotify), ``logins`` (what a login gave, and where it is kept) and ``state`` (how far
each account was read). ``watching`` has the logs and metrics, ``errors`` what can go wrong.
"""
