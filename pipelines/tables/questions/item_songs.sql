-- The songs of an artist or of an album over a span, the most played first, or the longest heard.
--   @user_id  STRING  whose plays
--   @kind     STRING  track, artist or album
--   @id       STRING  its key, or an id of Spotify's: of a track, of an artist, of an album
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @limit    INT64 = 100         how many
-- Months: all
WITH ${item},

${credits},

${chosen},

songs AS (
  SELECT
    song_id,
    ANY_VALUE(track_id HAVING MAX last_played_at) AS id,
    ANY_VALUE(track_name HAVING MAX last_played_at) AS name,
    ANY_VALUE(artist_name HAVING MAX last_played_at) AS artist_name,
    SUM(plays) AS plays,
    SUM(heard_ms) AS heard_ms,
    SUM(estimated_plays) AS estimated_plays,
    SUM(unknown_plays) AS unknown_plays,
    MIN(first_played_at) AS first_played_at,
    MAX(last_played_at) AS last_played_at
  FROM chosen
  JOIN (
    SELECT
      track_id,
      COUNT(*) AS plays,
      SUM(heard_ms) AS heard_ms,
      COUNTIF(is_estimated) AS estimated_plays,
      COUNTIF(is_unknown) AS unknown_plays,
      MIN(played_at) AS first_played_at,
      MAX(played_at) AS last_played_at
    FROM heard
    WHERE played_on BETWEEN @from AND @to
    GROUP BY track_id
  ) USING (track_id)
  GROUP BY song_id
)

SELECT
  ROW_NUMBER() OVER (ORDER BY IF(@by = 'time', COALESCE(heard_ms, -1), plays) DESC, last_played_at DESC, id) AS rank,
  song_id AS key,
  id,
  name,
  artist_name,
  plays,
  heard_ms,
  estimated_plays,
  unknown_plays,
  first_played_at,
  last_played_at,
  COUNT(*) OVER () AS songs
FROM songs
ORDER BY rank
LIMIT @limit
