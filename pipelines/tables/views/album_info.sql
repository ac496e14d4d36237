-- A row for each album that was heard from, is in a watched playlist, or that Spotify named with a track.
-- An album goes by Spotify's id; one without, by its album_key, which plays have, unless an id is known under that key.
-- Of each column what is known best, as in track_info. It reads all months of plays.
WITH told AS (
  SELECT
    NULLIF(album_id, '') AS id,
    album_key,
    CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END AS standing,
    newest.ingested_at AS told_at,
    newest.album_name,
    COALESCE(NULLIF(newest.album_artist_name, ''), NULLIF(newest.artists[SAFE_OFFSET(0)].name, '')) AS artist_name,
    NULLIF(newest.album_release_date, '') AS release_date,
    NULLIF(newest.album_image_url, '') AS image_url
  FROM (
    SELECT
      album_id,
      album_key,
      source,
      ARRAY_AGG(
        STRUCT(ingested_at, album_name, album_artist_name, artists, album_release_date, album_image_url)
        ORDER BY ingested_at DESC, played_at DESC, user_id LIMIT 1
      )[OFFSET(0)] AS newest
    FROM ${dataset}.plays
    WHERE album_name <> '' AND COALESCE(NULLIF(album_id, ''), album_key) IS NOT NULL
    GROUP BY album_id, album_key, source
  )
  UNION ALL
  SELECT
    album_id,
    CAST(NULL AS STRING),
    0,
    taken_at,
    album_name,
    COALESCE(NULLIF(album_artist_name, ''), NULLIF(artists[SAFE_OFFSET(0)].name, '')),
    NULLIF(album_release_date, ''),
    NULLIF(album_image_url, '')
  FROM (
    SELECT album_id, taken_at, album_name, album_artist_name, artists, album_release_date, album_image_url
    FROM ${dataset}.playlist_snapshots
    UNION ALL
    SELECT album_id, taken_at, album_name, album_artist_name, artists, album_release_date, album_image_url
    FROM ${dataset}.track_snapshots
    WHERE source = 'SPOTIFY'
  )
  WHERE album_id <> '' AND album_name <> ''
),

keys AS (
  SELECT album_key, COUNT(id) > 0 AS has_id
  FROM told
  WHERE album_key IS NOT NULL
  GROUP BY album_key
),

placed AS (
  SELECT
    COALESCE(told.id, told.album_key) AS key,
    told.*,
    ROW_NUMBER() OVER (
      PARTITION BY COALESCE(told.id, told.album_key)
      ORDER BY told.standing, told.told_at DESC, told.album_key, told.image_url, told.release_date, told.artist_name, told.album_name
    ) AS place
  FROM told
  LEFT JOIN keys ON keys.album_key = told.album_key
  WHERE told.id IS NOT NULL OR NOT keys.has_id
)

SELECT
  key AS album_id,
  ANY_VALUE(album_name HAVING MIN place) AS album_name,
  ANY_VALUE(artist_name HAVING MIN IF(artist_name IS NULL, NULL, place)) AS artist_name,
  ANY_VALUE(release_date HAVING MIN IF(release_date IS NULL, NULL, place)) AS release_date,
  ANY_VALUE(image_url HAVING MIN IF(image_url IS NULL, NULL, place)) AS image_url,
  ANY_VALUE(album_key HAVING MIN IF(album_key IS NULL, NULL, place)) AS album_key
FROM placed
GROUP BY key
