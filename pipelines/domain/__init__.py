"""What a play is, when it counts, which month it belongs to and how plays are ranked: pure Python.

Nothing here reads a clock, a file or the network, and nothing imports Beam or another part of the project.
"""
