-- How many songs, artists and albums there are.
different AS (
  SELECT
    COUNT(DISTINCT song_id) AS songs,
    COUNT(DISTINCT artist_key) AS artists,
    COUNT(DISTINCT IF(album_name IS NULL, NULL, album_key)) AS albums
  FROM credits
)
