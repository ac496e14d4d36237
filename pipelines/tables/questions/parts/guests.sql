-- Plays of tracks that name an artist after the main one.
guests AS (
  SELECT id, COUNT(*) AS plays
  FROM (
    SELECT DISTINCT played_at, artist.id AS id
    FROM ${dataset}.plays, UNNEST(artists) AS artist WITH OFFSET AS position
    WHERE user_id = @user_id AND position > 0 AND artist.id <> ''
  )
  GROUP BY id
)
