-- Month by month: plays and time of a song, an artist or an album, and its rank where it is in the month's ten.
--   @user_id  STRING  whose plays
--   @kind     STRING  track, artist or album
--   @id       STRING  its key, or an id of Spotify's: of a track, of an artist, of an album
-- Months: all
WITH ${item},

${credits},

${chosen},

counted AS (
  SELECT
    month,
    COUNT(*) AS plays,
    SUM(heard_ms) AS heard_ms,
    COUNTIF(is_estimated) AS estimated_plays,
    COUNTIF(is_unknown) AS unknown_plays
  FROM heard
  WHERE track_id IN (SELECT track_id FROM chosen)
  GROUP BY month
),

in_tens AS (
  SELECT month, item.id AS id, item.name AS name, item.rank AS rank
  FROM ${dataset}.fullest_snapshots, UNNEST(items) AS item
  WHERE user_id = @user_id AND kind = @kind
),

ranks AS (
  SELECT month, MIN(rank) AS rank
  FROM in_tens
  WHERE
    id IN (SELECT CASE @kind WHEN 'track' THEN track_id WHEN 'artist' THEN key ELSE shown_album_id END FROM chosen)
    OR (
      STARTS_WITH(id, 'names:')
      AND name IN (SELECT artist_name FROM chosen WHERE @kind = 'artist')
    )
  GROUP BY month
)

SELECT month, plays, heard_ms, estimated_plays, unknown_plays, rank
FROM counted
LEFT JOIN ranks USING (month)
ORDER BY month
