-- What one listener heard most over any months: tracks, artists and albums, one row for each, by kind and rank.
--   @user_id  STRING  whose plays
--   @from     DATE    first day of the first month
--   @to       DATE    first day of the last month, which counts too
-- The rules are those of a month's top ten (pipelines/domain/ranking.py), with the whole span in the place of the month:
-- each track id goes by its preferred copy of the span, and a name without an id by the one id that the span knows for it.
-- For one month it gives that month's ten, and goes on after them. Songs that are two in two months may be one here.
WITH heard AS (
  SELECT
    played_at,
    ingested_at,
    CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END AS source_rank,
    track_id,
    track_name,
    -- At the span's preferred copy it is that copy's own key, since that copy is its month's preferred one too.
    song_id,
    NULLIF(artists[SAFE_OFFSET(0)].id, '') AS artist_id,
    NULLIF(artists[SAFE_OFFSET(0)].name, '') AS artist_name,
    NULLIF(album_id, '') AS album_id,
    NULLIF(album_name, '') AS album_name,
    COALESCE(NULLIF(album_artist_name, ''), NULLIF(artists[SAFE_OFFSET(0)].name, '')) AS album_artist,
    COALESCE(album_key, album_id, album_name) AS album_key, -- rows of before the column came, until a rebuild
    NULLIF(album_image_url, '') AS image_url
  FROM ${dataset}.plays
  WHERE user_id = @user_id AND month BETWEEN @from AND @to
),

-- The preferred copy of each track id, and of each album's id among these.
copies AS (
  SELECT *
  FROM heard
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY track_id ORDER BY source_rank, ingested_at, played_at DESC) = 1
),

album_copies AS (
  SELECT album_id, album_name, album_artist, album_key
  FROM copies
  WHERE album_id IS NOT NULL AND album_name IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY album_id ORDER BY source_rank, ingested_at, track_id, played_at DESC) = 1
),

-- The one id of each name that has just one.
artist_ids AS (
  SELECT artist_name, MIN(artist_id) AS only_id
  FROM copies
  WHERE artist_id IS NOT NULL AND artist_name IS NOT NULL
  GROUP BY artist_name
  HAVING COUNT(DISTINCT artist_id) = 1
),

artists AS (
  SELECT
    copies.track_id,
    COALESCE(
      copies.artist_id,
      artist_ids.only_id,
      CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', copies.artist_name))), 1, 22))
    ) AS artist_id,
    copies.artist_name
  FROM copies
  LEFT JOIN artist_ids ON artist_ids.artist_name = copies.artist_name
  WHERE copies.artist_name IS NOT NULL
),

counted AS (
  SELECT
    'track' AS kind,
    heard.played_at,
    copies.song_id AS key,
    copies.track_id AS id,
    NOT STARTS_WITH(copies.track_id, 'names:') AS is_spotifys,
    copies.track_name AS name,
    copies.artist_name,
    heard.album_name,
    heard.image_url
  FROM heard
  JOIN copies ON copies.track_id = heard.track_id
  UNION ALL
  SELECT
    'artist',
    heard.played_at,
    artists.artist_id,
    artists.artist_id,
    TRUE,
    artists.artist_name,
    NULL,
    NULL,
    NULL
  FROM heard
  JOIN artists ON artists.track_id = heard.track_id
  UNION ALL
  SELECT
    'album',
    heard.played_at,
    COALESCE(album_copies.album_key, copies.album_key),
    COALESCE(copies.album_id, copies.album_key),
    copies.album_id IS NOT NULL,
    COALESCE(album_copies.album_name, copies.album_name),
    IF(album_copies.album_id IS NULL, copies.album_artist, album_copies.album_artist),
    NULL,
    heard.image_url
  FROM heard
  JOIN copies ON copies.track_id = heard.track_id
  LEFT JOIN album_copies ON album_copies.album_id = copies.album_id
  WHERE copies.album_name IS NOT NULL
),

lines AS (
  SELECT
    kind,
    key,
    ARRAY_AGG(STRUCT(id, name, artist_name) ORDER BY is_spotifys DESC, played_at DESC LIMIT 1)[OFFSET(0)] AS shown,
    ANY_VALUE(album_name HAVING MAX IF(album_name IS NULL, NULL, played_at)) AS album_name,
    ANY_VALUE(image_url HAVING MAX IF(image_url IS NULL, NULL, played_at)) AS image_url,
    COUNT(*) AS plays,
    TIMESTAMP_TRUNC(MAX(played_at), SECOND) AS last_played_at
  FROM counted
  GROUP BY kind, key
)

SELECT
  kind,
  ROW_NUMBER() OVER (PARTITION BY kind ORDER BY plays DESC, last_played_at DESC, shown.id) AS rank,
  shown.id AS id,
  shown.name AS name,
  shown.artist_name AS artist_name,
  album_name,
  image_url,
  plays,
  last_played_at,
  IF(kind = 'track', key, NULL) AS song_id
FROM lines
ORDER BY kind, rank
