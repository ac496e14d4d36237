-- The one key that is meant: what was asked for, if something counts for it; else what its plays count for now.
meant AS (
  SELECT
    CASE @kind
      WHEN 'track' THEN COALESCE(
        MAX(IF(track_id = @id, song_id, NULL)),
        MAX(IF(song_id = @id, song_id, NULL)),
        MAX(song_id)
      )
      WHEN 'artist' THEN COALESCE(
        MAX(IF(artist_key = @id, artist_key, NULL)),
        MAX(IF(artist_name IN (SELECT artist_name FROM asked WHERE artist_name IS NOT NULL), artist_key, NULL)),
        MAX(artist_key)
      )
      ELSE COALESCE(
        MAX(IF(album_key = @id AND album_name IS NOT NULL, album_key, NULL)),
        MAX(IF(shown_album_id = @id AND album_name IS NOT NULL, album_key, NULL)),
        MAX(IF(album_name IS NULL, NULL, album_key))
      )
    END AS key
  FROM credits
),

chosen AS (
  SELECT credits.*, meant.key
  FROM credits
  JOIN
    meant
    ON meant.key = CASE @kind
      WHEN 'track' THEN song_id
      WHEN 'artist' THEN artist_key
      ELSE IF(album_name IS NULL, NULL, album_key)
    END
)
