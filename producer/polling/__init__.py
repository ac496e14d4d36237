"""``poll`` is one poll, ``account`` one account's turn; ``schedule``, ``service`` and ``running`` are many of them.

``publishing`` is where plays go.
"""
