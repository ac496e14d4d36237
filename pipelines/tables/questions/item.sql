-- A song, an artist or an album over the whole history in a row; no row where it was never heard.
--   @user_id  STRING  whose plays
--   @kind     STRING  track, artist or album
--   @id       STRING  its key, or an id of Spotify's: of a track, of an artist, of an album
-- Months: all
-- guest_plays: of an artist, plays of tracks that name it after the main artist.
WITH ${item},

${credits},

${chosen},

${guests},

shown AS (
  SELECT
    heard.*,
    chosen.key,
    chosen.artist_key,
    chosen.shown_album_id,
    chosen.is_album_of_spotify,
    chosen.album_name AS credited_album,
    chosen.album_artist,
    chosen.album_key AS credited_album_key,
    chosen.track_name AS credited_track,
    chosen.artist_name AS credited_artist
  FROM heard
  JOIN chosen ON chosen.track_id = heard.track_id
)

SELECT
  @kind AS kind,
  ANY_VALUE(key) AS key,
  CASE @kind
    WHEN 'track' THEN ANY_VALUE(track_id HAVING MAX IF(STARTS_WITH(track_id, 'names:'), NULL, played_at))
    WHEN 'album' THEN ANY_VALUE(shown_album_id HAVING MAX IF(is_album_of_spotify, played_at, NULL))
    ELSE MAX(IF(STARTS_WITH(artist_key, 'names:'), NULL, artist_key))
  END AS spotify_id,
  CASE @kind
    WHEN 'track' THEN ANY_VALUE(credited_track HAVING MAX played_at)
    WHEN 'album' THEN ANY_VALUE(credited_album HAVING MAX played_at)
    ELSE ANY_VALUE(credited_artist HAVING MAX played_at)
  END AS name,
  CASE @kind
    WHEN 'track' THEN ANY_VALUE(credited_artist HAVING MAX played_at)
    WHEN 'album' THEN ANY_VALUE(album_artist HAVING MAX played_at)
  END AS artist_name,
  IF(@kind = 'track', ANY_VALUE(artist_key HAVING MAX played_at), NULL) AS artist_key,
  IF(@kind = 'track', ANY_VALUE(credited_album HAVING MAX IF(credited_album IS NULL, NULL, played_at)), NULL) AS album_name,
  IF(
    @kind = 'track', ANY_VALUE(credited_album_key HAVING MAX IF(credited_album IS NULL, NULL, played_at)), NULL
  ) AS album_key,
  IF(
    @kind = 'artist', NULL, ANY_VALUE(album_image_url HAVING MAX IF(album_image_url <> '', played_at, NULL))
  ) AS image_url,
  COUNT(*) AS plays,
  SUM(heard_ms) AS heard_ms,
  COUNTIF(is_estimated) AS estimated_plays,
  COUNTIF(is_unknown) AS unknown_plays,
  MIN(played_at) AS first_played_at,
  MAX(played_at) AS last_played_at,
  IF(
    @kind = 'artist',
    COALESCE((SELECT plays FROM guests WHERE id = (SELECT ANY_VALUE(key) FROM chosen)), 0),
    NULL
  ) AS guest_plays
FROM shown
HAVING COUNT(*) > 0
