-- The ten genres most played in each month, one ten for each source that has genres: a row for each rank.
-- A play counts once for each genre of its main artist. known_plays are the month's plays whose artist has genres at the
-- source; a month has all_plays. Ranked by plays, then by the last of them, then by name.
WITH by_name AS (
  SELECT
    user_id,
    month,
    NULLIF(artists[SAFE_OFFSET(0)].id, '') AS id,
    artists[SAFE_OFFSET(0)].name AS name,
    COUNT(*) AS plays,
    MAX(played_at) AS last_played_at
  FROM ${dataset}.plays
  GROUP BY 1, 2, 3, 4
),

-- After counting: to make an id of a name takes longer than to count a play.
heard AS (
  SELECT
    user_id,
    month,
    id,
    CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', name))), 1, 22)) AS made_id,
    plays,
    last_played_at
  FROM by_name
),

-- By its id; else by the one that was made from its name, which may have been all that was known when a source was asked.
asked AS (
  SELECT user_id, month, id, made_id, plays, last_played_at, id AS artist_id, 0 AS preference
  FROM heard
  WHERE id IS NOT NULL
  UNION ALL
  SELECT user_id, month, id, made_id, plays, last_played_at, made_id, 1
  FROM heard
  WHERE made_id IS NOT NULL
),

found AS (
  SELECT asked.*, of_artist.source, of_artist.genre
  FROM asked
  JOIN ${dataset}.artist_genres AS of_artist ON of_artist.artist_id = asked.artist_id
  WHERE TRUE
  QUALIFY preference = MIN(preference) OVER (PARTITION BY user_id, month, id, made_id, of_artist.source)
),

totals AS (
  SELECT user_id, month, SUM(plays) AS all_plays
  FROM heard
  GROUP BY user_id, month
),

known AS (
  SELECT user_id, month, source, SUM(plays) AS known_plays
  FROM (SELECT DISTINCT user_id, month, source, id, made_id, plays FROM found)
  GROUP BY user_id, month, source
)

SELECT
  user_id,
  month,
  source,
  ROW_NUMBER() OVER (
    PARTITION BY user_id, month, source ORDER BY SUM(plays) DESC, MAX(last_played_at) DESC, genre
  ) AS rank,
  genre,
  SUM(plays) AS plays,
  MAX(last_played_at) AS last_played_at,
  ANY_VALUE(known_plays) AS known_plays,
  ANY_VALUE(all_plays) AS all_plays
FROM found
JOIN totals USING (user_id, month)
JOIN known USING (user_id, month, source)
GROUP BY user_id, month, source, genre
QUALIFY rank <= 10
