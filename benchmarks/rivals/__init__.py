"""The same outputs by other means, as those who know them would write it: each is a process, ``python -m
benchmarks.rivals.NAME SOURCE OUT``, that shares no code with the project.

OUT/plays has each play once, with its local time, as Parquet in a folder for each month; OUT/tens.parquet has the top
tens, a row for each rank: user_id, month, kind, rank, id, name, artist_name, album_name, image_url, plays,
last_played_at. Their rules are those of an archive that Spotify's API filled: every id is known, one source.
"""
