-- The genres of a span of days, a list for each source that has genres.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @limit    INT64 = 10          how many of each source
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
-- A play counts once for each genre of its main artist. known_plays are the plays whose artist has genres at the source, of
-- all_plays. Ranked by plays, then by the last of them, then by name.
WITH ${span},

${heard},

${credits},

by_track AS (
  SELECT track_id, COUNT(*) AS plays, SUM(heard_ms) AS heard_ms, MAX(played_at) AS last_played_at
  FROM heard
  GROUP BY track_id
),

by_artist AS (
  SELECT
    credits.artist_key,
    credits.artist_name,
    SUM(by_track.plays) AS plays,
    SUM(by_track.heard_ms) AS heard_ms,
    MAX(by_track.last_played_at) AS last_played_at
  FROM credits
  JOIN by_track ON by_track.track_id = credits.track_id
  WHERE credits.artist_key IS NOT NULL
  GROUP BY 1, 2
),

-- After counting, as in monthly_top_genres.
of_artists AS (
  SELECT
    artist_key,
    CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', artist_name))), 1, 22)) AS made_id,
    plays,
    heard_ms,
    last_played_at
  FROM by_artist
),

-- By the id that counts; else by the one that was made from the name, which may have been asked about.
asked AS (
  SELECT artist_key AS artist_id, 0 AS preference, * FROM of_artists
  UNION ALL
  SELECT made_id, 1, * FROM of_artists WHERE made_id <> artist_key
),

found AS (
  SELECT asked.*, told.source, told.genre
  FROM asked
  JOIN ${dataset}.artist_genres AS told ON told.artist_id = asked.artist_id
  WHERE TRUE
  QUALIFY asked.preference = MIN(asked.preference) OVER (PARTITION BY asked.artist_key, asked.made_id, told.source)
),

of_source AS (
  SELECT source, SUM(plays) AS known_plays
  FROM (SELECT DISTINCT source, artist_key, made_id, plays FROM found)
  GROUP BY source
),

counted AS (
  SELECT
    source,
    genre,
    SUM(plays) AS plays,
    SUM(heard_ms) AS heard_ms,
    COUNT(*) AS artists,
    MAX(last_played_at) AS last_played_at
  FROM found
  GROUP BY source, genre
)

SELECT
  counted.source,
  ROW_NUMBER() OVER (
    PARTITION BY counted.source ORDER BY counted.plays DESC, counted.last_played_at DESC, counted.genre
  ) AS rank,
  counted.genre,
  counted.plays,
  counted.heard_ms,
  counted.artists,
  of_source.known_plays,
  (SELECT COUNT(*) FROM heard) AS all_plays
FROM counted
JOIN of_source ON of_source.source = counted.source
WHERE TRUE
QUALIFY rank <= @limit
ORDER BY of_source.known_plays DESC, counted.source, rank
