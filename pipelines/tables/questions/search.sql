-- Songs, artists and albums whose names hold a text, whatever its case, accents and width, the most played first.
--   @user_id  STRING              whose plays
--   @q        STRING              the text
--   @limit    INT64 = 20          how many of each kind
-- Months: all
WITH named AS (
  SELECT
    song_id,
    track_name,
    NULLIF(artists[SAFE_OFFSET(0)].id, '') AS artist_id,
    NULLIF(artists[SAFE_OFFSET(0)].name, '') AS artist_name,
    COALESCE(album_key, album_id, album_name) AS album_key,
    NULLIF(album_name, '') AS album_name,
    COALESCE(NULLIF(album_artist_name, ''), NULLIF(artists[SAFE_OFFSET(0)].name, '')) AS album_artist,
    COUNT(*) AS plays,
    MAX(played_at) AS last_played_at
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY song_id, track_name, artist_id, artist_name, album_key, album_name, album_artist
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

found AS (
  SELECT
    'track' AS kind,
    song_id AS key,
    ANY_VALUE(track_name HAVING MAX last_played_at) AS name,
    ANY_VALUE(artist_name HAVING MAX last_played_at) AS artist_name,
    SUM(plays) AS plays,
    MAX(last_played_at) AS last_played_at
  FROM named
  WHERE track_name IN (SELECT text FROM hits)
  GROUP BY song_id
  UNION ALL
  SELECT
    'artist',
    COALESCE(
      MAX(artist_id),
      CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', artist_name))), 1, 22))
    ),
    artist_name,
    NULL,
    SUM(plays),
    MAX(last_played_at)
  FROM named
  WHERE artist_name IN (SELECT text FROM hits)
  GROUP BY artist_name
  UNION ALL
  SELECT
    'album',
    album_key,
    ANY_VALUE(album_name HAVING MAX last_played_at),
    ANY_VALUE(album_artist HAVING MAX last_played_at),
    SUM(plays),
    MAX(last_played_at)
  FROM named
  WHERE album_name IN (SELECT text FROM hits)
  GROUP BY album_key
)

SELECT kind, key, name, artist_name, plays, last_played_at, COUNT(*) OVER (PARTITION BY kind) AS found
FROM found
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY kind ORDER BY plays DESC, last_played_at DESC, key) <= @limit
ORDER BY kind, plays DESC, last_played_at DESC, key
