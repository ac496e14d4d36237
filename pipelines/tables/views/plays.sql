-- Each play once, and which song it is of.
-- Copies of one play (the same user and instant) may differ in what they know: the API's copy knows most, then the
-- extended export's, then the oldest copy is kept, so that the choice never changes. pipelines/domain/play.py holds the
-- same order for the pipelines.
-- song_id is one for all track ids of a recording: the song_key of the track id's preferred copy in the user's month.
-- GROUP BY song_id is the month's list. A row of before the column came is a song by its track id, until a rebuild.
-- month is among the keys of both windows, so that a filter on it reads one partition.
SELECT
  * EXCEPT (song_key),
  COALESCE(
    FIRST_VALUE(song_key) OVER (
      PARTITION BY user_id, month, track_id
      ORDER BY
        CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END,
        ingested_at,
        played_at DESC
    ),
    track_id
  ) AS song_id
FROM (
  SELECT *
  FROM ${dataset}.play_events
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY user_id, month, played_at
    ORDER BY
      CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END,
      ingested_at,
      track_id
  ) = 1
)
