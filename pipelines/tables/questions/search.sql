-- Songs, artists and albums whose names hold a text, whatever its case, accents and width, the most played first.
--   @user_id  STRING              whose plays
--   @q        STRING              the text
--   @limit    INT64 = 20          how many of each kind
-- Months: all
-- Names are those that plays count under, as in tens of all time: an artist no play counts for is not found.
WITH ${every_play},

${credits},

${holding},

found AS (
  SELECT
    'track' AS kind,
    song_id AS key,
    ANY_VALUE(track_name HAVING MAX last_played_at) AS name,
    ANY_VALUE(artist_name HAVING MAX last_played_at) AS artist_name,
    SUM(plays) AS plays,
    MAX(last_played_at) AS last_played_at
  FROM holding
  WHERE is_by_track_name
  GROUP BY song_id
  UNION ALL
  SELECT
    'artist',
    artist_key,
    ANY_VALUE(artist_name HAVING MAX last_played_at),
    NULL,
    SUM(plays),
    MAX(last_played_at)
  FROM holding
  WHERE is_by_artist_name
  GROUP BY artist_key
  UNION ALL
  SELECT
    'album',
    album_key,
    ANY_VALUE(album_name HAVING MAX last_played_at),
    ANY_VALUE(album_artist HAVING MAX last_played_at),
    SUM(plays),
    MAX(last_played_at)
  FROM holding
  WHERE is_by_album_name
  GROUP BY album_key
)

SELECT kind, key, name, artist_name, plays, last_played_at, COUNT(*) OVER (PARTITION BY kind) AS found
FROM found
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY kind ORDER BY plays DESC, last_played_at DESC, key) <= @limit
ORDER BY kind, plays DESC, last_played_at DESC, key
