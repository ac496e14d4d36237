"""Accounts that have logged in. ``authorization`` leads through it, ``redirect`` is where the browser comes back to.

What that gave (``grant``), for which app (``app``), where it is kept (``stores``, ``secret_manager``), in use
(``login``), and gone again (``logout``).
"""
