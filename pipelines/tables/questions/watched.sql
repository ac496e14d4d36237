-- The playlists and artists that are watched, with when each was last asked about: one row for each.
-- Months: none
-- Whoever has snapshots by Spotify is watched, or was. Of a playlist, by states that were read whole: how many there are, how
-- many tracks the last one has, how many came since the first one and how many left. Of an artist the newest figures.
WITH playlists AS (
  SELECT
    playlist_id,
    COUNT(DISTINCT snapshot_id) AS states,
    ANY_VALUE(list_name HAVING MAX IF(list_name <> '', read_at, NULL)) AS name,
    ANY_VALUE(list_image_url HAVING MAX IF(list_image_url <> '', read_at, NULL)) AS image_url,
    ANY_VALUE(positions HAVING MAX read_at) AS tracks,
    MIN(read_at) AS first_at,
    MAX(read_at) AS last_at
  FROM (
    SELECT
      playlist_id,
      snapshot_id,
      MIN(taken_at) AS read_at,
      MAX(playlist_name) AS list_name,
      MAX(playlist_image_url) AS list_image_url,
      MAX(tracks) AS positions
    FROM ${dataset}.playlist_snapshots
    GROUP BY playlist_id, snapshot_id
    HAVING COUNT(DISTINCT IF(position > 0, position, NULL)) = MAX(tracks)
  )
  GROUP BY playlist_id
),

stays AS (
  SELECT playlist_id, COUNTIF(NOT is_from_the_start) AS came, COUNT(left_at) AS gone
  FROM ${dataset}.playlist_history
  GROUP BY playlist_id
),

artists AS (
  SELECT
    artist_id,
    COUNTIF(source = 'SPOTIFY') AS states,
    ANY_VALUE(artist_name HAVING MAX IF(artist_name <> '' AND source = 'SPOTIFY', taken_at, NULL)) AS name,
    ANY_VALUE(image_url HAVING MAX IF(image_url <> '', taken_at, NULL)) AS image_url,
    ANY_VALUE(popularity HAVING MAX IF(popularity IS NULL, NULL, taken_at)) AS popularity,
    ANY_VALUE(followers HAVING MAX IF(followers IS NULL, NULL, taken_at)) AS followers,
    ANY_VALUE(listeners HAVING MAX IF(listeners IS NULL, NULL, taken_at)) AS listeners,
    ANY_VALUE(listens HAVING MAX IF(listens IS NULL, NULL, taken_at)) AS listens,
    MIN(taken_at) AS first_at,
    MAX(taken_at) AS last_at
  FROM ${dataset}.artist_history
  GROUP BY artist_id
  HAVING COUNTIF(source = 'SPOTIFY') > 0
)

SELECT
  'playlist' AS kind,
  playlists.playlist_id AS id,
  playlists.name AS name,
  playlists.image_url AS image_url,
  playlists.states AS states,
  playlists.first_at AS first_at,
  playlists.last_at AS last_at,
  playlists.tracks AS tracks,
  COALESCE(stays.came, 0) AS came,
  COALESCE(stays.gone, 0) AS gone,
  CAST(NULL AS INT64) AS popularity,
  CAST(NULL AS INT64) AS followers,
  CAST(NULL AS INT64) AS listeners,
  CAST(NULL AS INT64) AS listens
FROM playlists
LEFT JOIN stays ON stays.playlist_id = playlists.playlist_id
UNION ALL
SELECT
  'artist', artist_id, name, image_url, states, first_at, last_at, NULL, NULL, NULL, popularity, followers, listeners, listens
FROM artists
ORDER BY kind DESC, name, id
