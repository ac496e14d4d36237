-- A row for each artist that was heard, is in a watched playlist, or that a source was asked about; of each figure the newest.
-- An artist goes by Spotify's id; a name without one by the only id that is known of it, else by one made from the name.
-- popularity, followers and top_tracks are Spotify's, listeners and listens ListenBrainz's. It reads all months of plays.
WITH told AS (
  SELECT NULLIF(id, '') AS id, NULLIF(name, '') AS name, MAX(told_at) AS told_at
  FROM (
    SELECT artist.id AS id, artist.name AS name, ingested_at AS told_at
    FROM ${dataset}.plays, UNNEST(artists) AS artist
    UNION ALL
    SELECT artist.id, artist.name, taken_at
    FROM ${dataset}.playlist_snapshots, UNNEST(artists) AS artist
    UNION ALL
    SELECT artist.id, artist.name, taken_at
    FROM ${dataset}.track_snapshots, UNNEST(artists) AS artist
    WHERE source = 'SPOTIFY'
  )
  -- Names that are empty go later: with a filter on what is unnested, the view takes DuckDB three times as long.
  GROUP BY 1, 2
),

-- The one id of each name that has just one, and the id that was made from the name.
only_ids AS (
  SELECT
    name,
    MIN(id) AS only_id,
    CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', name))), 1, 22)) AS made_id
  FROM told
  WHERE id IS NOT NULL AND name IS NOT NULL
  GROUP BY name
  HAVING COUNT(DISTINCT id) = 1
),

placed AS (
  SELECT
    COALESCE(only_ids.only_id, snapshots.artist_id) AS key,
    snapshots.*,
    ROW_NUMBER() OVER (
      PARTITION BY COALESCE(only_ids.only_id, snapshots.artist_id)
      ORDER BY snapshots.taken_at DESC, snapshots.source, snapshots.artist_id, snapshots.month
    ) AS place
  FROM ${dataset}.artist_snapshots AS snapshots
  LEFT JOIN only_ids ON only_ids.made_id = snapshots.artist_id
  WHERE snapshots.found
),

names AS (
  SELECT
    COALESCE(
      told.id, only_ids.only_id, CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', told.name))), 1, 22))
    ) AS key,
    told.name AS name,
    0 AS standing,
    told.told_at AS told_at
  FROM told
  LEFT JOIN only_ids ON only_ids.name = told.name
  WHERE told.name IS NOT NULL
  UNION ALL
  SELECT key, name, IF(source = 'SPOTIFY', 0, 1), taken_at
  FROM placed
  WHERE name <> ''
),

figures AS (
  SELECT
    key,
    ANY_VALUE(genres HAVING MIN IF(source = 'SPOTIFY' AND ARRAY_LENGTH(genres) > 0, place, NULL)) AS spotify_genres,
    ANY_VALUE(genres HAVING MIN IF(source = 'MUSICBRAINZ' AND ARRAY_LENGTH(genres) > 0, place, NULL)) AS open_genres,
    COUNTIF(source = 'SPOTIFY' AND ARRAY_LENGTH(genres) > 0) > 0 AS is_spotifys,
    COUNTIF(source = 'MUSICBRAINZ' AND ARRAY_LENGTH(genres) > 0) > 0 AS is_open,
    ANY_VALUE(image_url HAVING MIN IF(image_url <> '', place, NULL)) AS image_url,
    ANY_VALUE(popularity HAVING MIN IF(popularity IS NULL, NULL, place)) AS popularity,
    ANY_VALUE(followers HAVING MIN IF(followers IS NULL, NULL, place)) AS followers,
    ANY_VALUE(listeners HAVING MIN IF(listeners IS NULL, NULL, place)) AS listeners,
    ANY_VALUE(listens HAVING MIN IF(listens IS NULL, NULL, place)) AS listens,
    ANY_VALUE(top_tracks HAVING MIN IF(ARRAY_LENGTH(top_tracks) > 0, place, NULL)) AS top_tracks,
    ANY_VALUE(source_id HAVING MIN IF(source = 'MUSICBRAINZ', place, NULL)) AS musicbrainz_id,
    MAX(taken_at) AS asked_at
  FROM placed
  GROUP BY key
)

SELECT
  names.key AS artist_id,
  names.name AS artist_name,
  CASE WHEN figures.is_spotifys THEN figures.spotify_genres WHEN figures.is_open THEN figures.open_genres END AS genres,
  CASE WHEN figures.is_spotifys THEN 'SPOTIFY' WHEN figures.is_open THEN 'MUSICBRAINZ' END AS genres_source,
  figures.image_url,
  figures.popularity,
  figures.followers,
  figures.listeners,
  figures.listens,
  figures.top_tracks,
  figures.musicbrainz_id,
  figures.asked_at
FROM (
  SELECT key, name
  FROM names
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY standing, told_at DESC, name) = 1
) AS names
LEFT JOIN figures ON figures.key = names.key
