"""``poll`` publishes what is listed, ``account`` asks for it; ``schedule``, ``service`` and ``running`` do so for many.

``publishing`` is where plays go.
"""
