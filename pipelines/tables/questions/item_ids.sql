-- The ids that were brought together in a song, an artist or an album, with what each is called.
--   @user_id  STRING  whose plays
--   @kind     STRING  track, artist or album
--   @id       STRING  its key, or an id of Spotify's: of a track, of an artist, of an album
-- Months: all
WITH ${item},

${credits},

${chosen},

named AS (
  SELECT
    CASE @kind
      WHEN 'track' THEN track_id
      WHEN 'artist' THEN NULLIF(artist_id, '')
      ELSE NULLIF(album_id, '')
    END AS id,
    CASE @kind
      WHEN 'track' THEN track_name
      WHEN 'artist' THEN artist_name
      ELSE album_name
    END AS name,
    IF(@kind = 'artist', NULL, NULLIF(artist_name, '')) AS artist_name,
    IF(@kind = 'track', NULLIF(album_name, ''), NULL) AS album_name,
    played_at
  FROM heard
  WHERE track_id IN (SELECT track_id FROM chosen)
)

SELECT
  id,
  ANY_VALUE(name HAVING MAX played_at) AS name,
  ANY_VALUE(artist_name HAVING MAX played_at) AS artist_name,
  ANY_VALUE(album_name HAVING MAX played_at) AS album_name,
  COUNT(*) AS plays,
  MIN(played_at) AS first_played_at,
  MAX(played_at) AS last_played_at
FROM named
GROUP BY id
ORDER BY plays DESC, last_played_at DESC, id
