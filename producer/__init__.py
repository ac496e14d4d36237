"""Gets plays from Spotify, and from its exports, to Pub/Sub or to an archive. Imports no Beam.

Where to look, in the order in which things are used:

- ``__main__`` and ``commands`` read the command line and hand over;
- logging in: ``login``, ``oauth``, ``redirect``; what a login gave and where it is kept: ``grants``, ``logins``,
  ``apps``, ``stores``, ``secret_manager``, ``private_files``;
- asking Spotify: ``spotify``, ``transport``;
- polling: ``polling`` is one poll, ``account`` one account's turn, ``cursor`` and ``documents`` what is remembered,
  ``publishing`` where plays go, ``schedule``, ``service`` and ``running`` many accounts again and again,
  ``stopping`` how that ends;
- importing: ``exports`` and ``rows`` read, ``importing`` leads, ``candidates``, ``matching``, ``known_plays`` and
  ``reconciling`` decide which instant a row has, ``report`` and ``progress`` tell;
- being watched: ``watching`` (logs and metrics), ``health``, ``doctor`` and its ``findings``.
"""
