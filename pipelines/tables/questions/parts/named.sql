-- What is called how, of those lines that are wanted. Of a listener no two plays are of one instant.
named AS (
  SELECT
    wanted.*,
    ${name} AS name,
    CASE kind WHEN 'track' THEN credits.artist_name WHEN 'album' THEN credits.album_artist END AS artist_name,
    IF(kind = 'album', NULL, credits.artist_key) AS artist_key,
    IF(kind = 'track', on_album.album_name, NULL) AS album_name,
    IF(kind = 'artist', NULL, with_image.album_image_url) AS image_url
  FROM wanted
  JOIN credits ON credits.track_id = shown_by
  LEFT JOIN heard AS on_album ON on_album.played_at = album_at
  LEFT JOIN heard AS with_image ON with_image.played_at = image_at
)
