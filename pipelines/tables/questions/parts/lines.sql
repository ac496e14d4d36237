counted AS (
  SELECT
    'track' AS kind,
    heard.played_at,
    heard.played_on,
    heard.heard_ms,
    heard.is_estimated,
    heard.is_unknown,
    credits.song_id AS key,
    credits.track_id AS id,
    NOT STARTS_WITH(credits.track_id, 'names:') AS is_spotifys,
    credits.track_name AS name,
    credits.artist_name,
    credits.artist_key,
    heard.album_name,
    heard.image_url
  FROM heard
  JOIN credits ON credits.track_id = heard.track_id
  WHERE @kind IN ('', 'track')
  UNION ALL
  SELECT
    'artist',
    heard.played_at,
    heard.played_on,
    heard.heard_ms,
    heard.is_estimated,
    heard.is_unknown,
    credits.artist_key,
    credits.artist_key,
    TRUE,
    credits.artist_name,
    NULL,
    credits.artist_key,
    NULL,
    NULL
  FROM heard
  JOIN credits ON credits.track_id = heard.track_id
  WHERE @kind IN ('', 'artist') AND credits.artist_key IS NOT NULL
  UNION ALL
  SELECT
    'album',
    heard.played_at,
    heard.played_on,
    heard.heard_ms,
    heard.is_estimated,
    heard.is_unknown,
    credits.album_key,
    credits.shown_album_id,
    credits.is_album_of_spotify,
    credits.album_name,
    credits.album_artist,
    NULL,
    NULL,
    heard.image_url
  FROM heard
  JOIN credits ON credits.track_id = heard.track_id
  WHERE @kind IN ('', 'album') AND credits.album_name IS NOT NULL
),

lines AS (
  SELECT
    kind,
    key,
    ARRAY_AGG(STRUCT(id, name, artist_name, artist_key) ORDER BY is_spotifys DESC, played_at DESC LIMIT 1)[OFFSET(0)] AS shown,
    ANY_VALUE(album_name HAVING MAX IF(album_name IS NULL, NULL, played_at)) AS album_name,
    ANY_VALUE(image_url HAVING MAX IF(image_url IS NULL, NULL, played_at)) AS image_url,
    COUNT(*) AS plays,
    SUM(heard_ms) AS heard_ms,
    COUNTIF(is_estimated) AS estimated_plays,
    COUNTIF(is_unknown) AS unknown_plays,
    MIN(played_at) AS first_played_at,
    TIMESTAMP_TRUNC(MAX(played_at), SECOND) AS last_played_at
  FROM counted
  GROUP BY kind, key
),

ranked AS (
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
    last_played_at,
    IF(@by = 'time', COALESCE(heard_ms, -1), plays) AS amount,
    COUNT(*) OVER (PARTITION BY kind) AS lines
  FROM lines
)
