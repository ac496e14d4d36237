-- A track's plays all count for the same, so that they come together first.
by_track AS (
  SELECT
    track_id,
    COUNT(*) AS plays,
    SUM(heard_ms) AS heard_ms,
    COUNTIF(is_estimated) AS estimated_plays,
    COUNTIF(is_unknown) AS unknown_plays,
    MIN(played_at) AS first_played_at,
    MIN(played_on) AS first_played_on,
    MAX(played_at) AS last_played_at,
    ANY_VALUE(NULLIF(album_name, '') HAVING MAX IF(album_name <> '', played_at, NULL)) AS album_name,
    MAX(IF(album_name <> '', played_at, NULL)) AS album_at,
    ANY_VALUE(NULLIF(album_image_url, '') HAVING MAX IF(album_image_url <> '', played_at, NULL)) AS image_url,
    MAX(IF(album_image_url <> '', played_at, NULL)) AS image_at
  FROM heard
  GROUP BY track_id
),

counted AS (
  SELECT
    'track' AS kind,
    song_id AS key,
    track_id AS id,
    NOT STARTS_WITH(track_id, 'names:') AS is_spotifys,
    track_id,
    track_name AS name,
    artist_name,
    artist_key
  FROM credits
  WHERE @kind IN ('', 'track')
  UNION ALL
  SELECT 'artist', artist_key, artist_key, TRUE, track_id, artist_name, NULL, artist_key
  FROM credits
  WHERE @kind IN ('', 'artist') AND artist_key IS NOT NULL
  UNION ALL
  SELECT 'album', album_key, shown_album_id, is_album_of_spotify, track_id, album_name, album_artist, NULL
  FROM credits
  WHERE @kind IN ('', 'album') AND album_name IS NOT NULL
),

-- Of a listener no two plays are of one instant.
lines AS (
  SELECT
    kind,
    key,
    ANY_VALUE(
      STRUCT(id, name, artist_name, artist_key)
      -- Spotify's own ids before all others, then the newest.
      HAVING MAX (UNIX_MILLIS(last_played_at) + IF(is_spotifys, 1000000000000000, 0))
    ) AS shown,
    SUM(plays) AS plays,
    SUM(heard_ms) AS heard_ms,
    SUM(estimated_plays) AS estimated_plays,
    SUM(unknown_plays) AS unknown_plays,
    MIN(first_played_at) AS first_played_at,
    MIN(first_played_on) AS first_played_on,
    TIMESTAMP_TRUNC(MAX(last_played_at), SECOND) AS last_played_at,
    ANY_VALUE(IF(kind = 'track', album_name, NULL) HAVING MAX album_at) AS album_name,
    ANY_VALUE(IF(kind = 'artist', NULL, image_url) HAVING MAX image_at) AS image_url
  FROM counted
  JOIN by_track ON by_track.track_id = counted.track_id
  GROUP BY kind, key
),

placed AS (
  SELECT
    kind,
    ROW_NUMBER() OVER (
      PARTITION BY kind
      ORDER BY IF(@by = 'time', COALESCE(heard_ms, -1), plays) DESC, last_played_at DESC, shown.id
    ) AS rank,
    key,
    shown.id AS id,
    shown.name AS name,
    shown.artist_name AS artist_name,
    shown.artist_key AS artist_key,
    album_name,
    image_url,
    plays,
    heard_ms,
    estimated_plays,
    unknown_plays,
    first_played_at,
    first_played_on,
    last_played_at,
    IF(@by = 'time', COALESCE(heard_ms, -1), plays) AS amount,
    COUNT(*) OVER (PARTITION BY kind) AS lines
  FROM lines
),

-- is_tied: as many as the row above. tied_after: how many more rows have as many as this one.
ranked AS (
  SELECT
    *,
    rank > RANK() OVER (PARTITION BY kind ORDER BY amount DESC) AS is_tied,
    COUNT(*) OVER (PARTITION BY kind ORDER BY amount DESC) - rank AS tied_after
  FROM placed
)
