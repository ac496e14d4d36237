-- What each source said of an artist, each time once: figures to follow over time, each source a line of its own.
-- popularity, followers and top_tracks are Spotify's, listeners and listens ListenBrainz's. No two sources count the same.
SELECT
  artist_id,
  COALESCE(NULLIF(name, ''), MAX(NULLIF(name, '')) OVER (PARTITION BY artist_id)) AS artist_name,
  source,
  taken_at,
  popularity,
  followers,
  listeners,
  listens,
  genres,
  top_tracks,
  image_url,
  month
FROM (
  SELECT *
  FROM ${dataset}.artist_snapshots
  WHERE found
  QUALIFY ROW_NUMBER() OVER (PARTITION BY artist_id, source, taken_at ORDER BY month) = 1
)
