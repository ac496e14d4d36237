-- How often each track was heard that counts for a name with a text in it, and when last.
texts AS (
  SELECT track_name AS text FROM credits
  UNION DISTINCT
  SELECT artist_name FROM credits WHERE artist_name IS NOT NULL
  UNION DISTINCT
  SELECT album_name FROM credits WHERE album_name IS NOT NULL
),

hits AS (
  SELECT text
  FROM texts
  WHERE
    ${folded_search}
),

named AS (
  SELECT
    *,
    track_name IN (SELECT text FROM hits) AS is_by_track_name,
    COALESCE(artist_name IN (SELECT text FROM hits), FALSE) AS is_by_artist_name,
    COALESCE(album_name IN (SELECT text FROM hits), FALSE) AS is_by_album_name
  FROM credits
),

holding AS (
  SELECT named.*, plays, last_played_at
  FROM named
  JOIN (
    SELECT track_id, COUNT(*) AS plays, MAX(played_at) AS last_played_at
    FROM heard
    GROUP BY track_id
  ) USING (track_id)
  WHERE is_by_track_name OR is_by_artist_name OR is_by_album_name
)
