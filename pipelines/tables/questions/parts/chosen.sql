-- The one key that is meant: what was asked for, if it is one; else what the asked id counts for.
meant AS (
  SELECT
    CASE @kind
      WHEN 'track' THEN COALESCE(MAX(IF(track_id = @id, song_id, NULL)), @id)
      WHEN 'artist' THEN COALESCE(
        MAX(IF(artist_key = @id, artist_key, NULL)),
        MAX(IF(artist_name IN (SELECT artist_name FROM asked WHERE artist_name IS NOT NULL), artist_key, NULL))
      )
      ELSE COALESCE(MAX(IF(album_key = @id, album_key, NULL)), MAX(IF(shown_album_id = @id, album_key, NULL)))
    END AS key
  FROM credits
),

chosen AS (
  SELECT *
  FROM credits
  WHERE CASE @kind WHEN 'track' THEN song_id WHEN 'artist' THEN artist_key ELSE album_key END = (SELECT key FROM meant)
)
