-- Songs, artists and albums whose names hold a text, whatever its case, accents and width, the most played first.
--   @user_id  STRING              whose plays
--   @q        STRING              the text
--   @limit    INT64 = 20          how many of each kind
-- Months: all
-- Names are those that plays count under, as in tens of all time: an artist no play counts for is not found.
WITH named AS (
  SELECT DISTINCT
    track_id,
    track_name,
    NULLIF(artists[SAFE_OFFSET(0)].name, '') AS artist_name,
    NULLIF(album_name, '') AS album_name
  FROM ${dataset}.plays
  WHERE user_id = @user_id
),

texts AS (
  SELECT track_name AS text FROM named
  UNION DISTINCT
  SELECT artist_name FROM named WHERE artist_name IS NOT NULL
  UNION DISTINCT
  SELECT album_name FROM named WHERE album_name IS NOT NULL
),

hits AS (
  SELECT text
  FROM texts
  WHERE STRPOS(
    REGEXP_REPLACE(NORMALIZE_AND_CASEFOLD(text, NFKD), r'\pM', ''),
    REGEXP_REPLACE(NORMALIZE_AND_CASEFOLD(@q, NFKD), r'\pM', '')
  ) > 0
),

heard AS (
  SELECT
    *,
    ${first_artist},
    ${source_rank}
  FROM ${dataset}.plays
  WHERE
    user_id = @user_id
    AND track_id IN (
      SELECT track_id
      FROM named
      WHERE
        track_name IN (SELECT text FROM hits)
        OR artist_name IN (SELECT text FROM hits)
        OR album_name IN (SELECT text FROM hits)
    )
),

${credits},

counted AS (
  SELECT credits.*, plays, last_played_at
  FROM credits
  JOIN (
    SELECT track_id, COUNT(*) AS plays, MAX(played_at) AS last_played_at
    FROM heard
    GROUP BY track_id
  ) USING (track_id)
),

found AS (
  SELECT
    'track' AS kind,
    song_id AS key,
    ANY_VALUE(track_name HAVING MAX last_played_at) AS name,
    ANY_VALUE(artist_name HAVING MAX last_played_at) AS artist_name,
    SUM(plays) AS plays,
    MAX(last_played_at) AS last_played_at
  FROM counted
  WHERE track_name IN (SELECT text FROM hits)
  GROUP BY song_id
  UNION ALL
  SELECT
    'artist',
    artist_key,
    ANY_VALUE(artist_name HAVING MAX last_played_at),
    NULL,
    SUM(plays),
    MAX(last_played_at)
  FROM counted
  WHERE artist_name IN (SELECT text FROM hits)
  GROUP BY artist_key
  UNION ALL
  SELECT
    'album',
    album_key,
    ANY_VALUE(album_name HAVING MAX last_played_at),
    ANY_VALUE(album_artist HAVING MAX last_played_at),
    SUM(plays),
    MAX(last_played_at)
  FROM counted
  WHERE album_name IN (SELECT text FROM hits)
  GROUP BY album_key
)

SELECT kind, key, name, artist_name, plays, last_played_at, COUNT(*) OVER (PARTITION BY kind) AS found
FROM found
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY kind ORDER BY plays DESC, last_played_at DESC, key) <= @limit
ORDER BY kind, plays DESC, last_played_at DESC, key
