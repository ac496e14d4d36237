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

ranks AS (
  SELECT month, MIN(item.rank) AS rank
  FROM ${dataset}.fullest_snapshots, UNNEST(items) AS item
  WHERE
    user_id = @user_id
    AND kind = @kind
    AND CASE @kind
      WHEN 'track' THEN item.id IN (SELECT track_id FROM chosen)
      WHEN 'artist' THEN
        item.id = (SELECT ANY_VALUE(key) FROM chosen)
        OR (STARTS_WITH(item.id, 'names:') AND item.name IN (SELECT artist_name FROM chosen))
      ELSE item.id IN (SELECT shown_album_id FROM chosen WHERE shown_album_id IS NOT NULL)
    END
  GROUP BY month
)

SELECT month, plays, heard_ms, estimated_plays, unknown_plays, rank
FROM counted
LEFT JOIN ranks USING (month)
ORDER BY month
