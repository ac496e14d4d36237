-- Which lines were heard before a span, by anything that they may be known by.
known AS (
  SELECT DISTINCT kind, key
  FROM credits
  CROSS JOIN
    UNNEST([
      STRUCT('track' AS kind, song_id AS key, 'song' AS known_by, song_id AS value),
      STRUCT('track', song_id, 'track', track_id),
      STRUCT('artist', artist_key, 'artist', artist_key),
      STRUCT('artist', artist_key, 'name alone', artist_name),
      STRUCT('artist', artist_key, 'name', IF(STARTS_WITH(artist_key, 'names:'), artist_name, NULL)),
      STRUCT('album', album_key, 'album', album_key),
      STRUCT('album', album_key, 'album id', shown_album_id)
    ])
  JOIN firsts USING (known_by, value)
  WHERE IF(@from = DATE_TRUNC(@from, MONTH), first_month < @from, first_day < @from)
)
