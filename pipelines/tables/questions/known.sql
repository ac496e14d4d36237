-- What plays and snapshots say of some tracks or albums: a picture, a length, a release date. One row for each that is known.
--   @user_id  STRING         whose plays
--   @kind     STRING         track or album
--   @ids      ARRAY<STRING>  ids as lists show them, at Spotify or made from names
--   @from     DATE           first day of the plays that are looked at
--   @to       DATE           last day, whole months
-- Months: @from to @to
-- An album that no source has by its id is looked up by its tracks that were played in these months.
WITH ${told_by_plays},

told_by_sources AS (
  SELECT track_id, album_id, album_image_url, duration_ms, album_release_date, standing, MAX(taken_at) AS taken_at
  FROM (
    SELECT track_id, album_id, album_image_url, duration_ms, album_release_date, IF(source = 'SPOTIFY', 0, 2) AS standing, taken_at
    FROM ${dataset}.track_snapshots
    WHERE found
    UNION ALL
    SELECT track_id, album_id, album_image_url, duration_ms, album_release_date, 0, taken_at
    FROM ${dataset}.playlist_snapshots
    WHERE track_id IS NOT NULL AND track_name IS NOT NULL
  )
  GROUP BY track_id, album_id, album_image_url, duration_ms, album_release_date, standing
),

told AS (
  SELECT track_id, album_id, album_image_url, duration_ms, album_release_date, standing, taken_at
  FROM told_by_sources
  UNION ALL
  SELECT track_id, album_id, album_image_url, duration_ms, album_release_date, IF(is_of_api, 0, 1), taken_at
  FROM told_by_plays
),

keyed AS (
  SELECT track_id AS id, album_image_url AS image_url, duration_ms, album_release_date AS release_date, standing, taken_at
  FROM told
  WHERE @kind = 'track'
  UNION ALL
  SELECT album_id, album_image_url, NULL, album_release_date, standing, taken_at
  FROM told
  WHERE @kind = 'album' AND album_id IS NOT NULL
  UNION ALL
  SELECT of_key.album_key, told.album_image_url, NULL, told.album_release_date, told.standing + 3, told.taken_at
  FROM (SELECT DISTINCT album_key, track_id FROM told_by_plays WHERE @kind = 'album' AND album_key IS NOT NULL) AS of_key
  JOIN told ON told.track_id = of_key.track_id
),

placed AS (
  SELECT
    id,
    NULLIF(image_url, '') AS image_url,
    duration_ms,
    NULLIF(release_date, '') AS release_date,
    ROW_NUMBER() OVER (
      PARTITION BY id ORDER BY standing, taken_at DESC, image_url, release_date, duration_ms
    ) AS place
  FROM keyed
  WHERE id IN UNNEST(@ids)
)

SELECT
  id,
  ANY_VALUE(image_url HAVING MIN IF(image_url IS NULL, NULL, place)) AS image_url,
  ANY_VALUE(duration_ms HAVING MIN IF(duration_ms IS NULL, NULL, place)) AS duration_ms,
  ANY_VALUE(release_date HAVING MIN IF(release_date IS NULL, NULL, place)) AS release_date
FROM placed
GROUP BY id
HAVING image_url IS NOT NULL OR duration_ms IS NOT NULL OR release_date IS NOT NULL
ORDER BY id
