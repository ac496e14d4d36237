-- A row for each track that was played, is in a watched playlist, or that a source was asked about.
-- Of each column what is known best: what Spotify says of the track, then an extended export, then account data, then open
-- sources; of equals the newest. Who listened is not in it. It reads all months of plays.
WITH told AS (
  SELECT
    track_id,
    CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END AS standing,
    newest.ingested_at AS told_at,
    NULLIF(newest.track_name, '') AS track_name,
    newest.artists,
    NULLIF(newest.album_id, '') AS album_id,
    NULLIF(newest.album_name, '') AS album_name,
    NULLIF(newest.album_artist_name, '') AS album_artist_name,
    NULLIF(newest.album_release_date, '') AS album_release_date,
    NULLIF(newest.album_image_url, '') AS album_image_url,
    newest.duration_ms,
    NULLIF(newest.isrc, '') AS isrc,
    newest.explicit
  FROM (
    SELECT
      track_id,
      source,
      -- Numbering all plays would sort them with all their columns; here one of each group is kept.
      ARRAY_AGG(
        STRUCT(
          ingested_at, track_name, artists, album_id, album_name, album_artist_name, album_release_date,
          album_image_url, duration_ms, isrc, explicit
        )
        ORDER BY ingested_at DESC, played_at DESC, user_id LIMIT 1
      )[OFFSET(0)] AS newest
    FROM ${dataset}.plays
    GROUP BY track_id, source
  )
  UNION ALL
  SELECT
    track_id, 0, taken_at, track_name, artists, album_id, album_name, album_artist_name, album_release_date,
    album_image_url, duration_ms, isrc, explicit
  FROM ${dataset}.playlist_snapshots
  WHERE track_id IS NOT NULL AND track_name IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (
    PARTITION BY track_id ORDER BY taken_at DESC, playlist_id, snapshot_id, position
  ) = 1
  UNION ALL
  SELECT
    track_id, IF(source = 'SPOTIFY', 0, 3), taken_at, name, artists, album_id, album_name, album_artist_name,
    album_release_date, album_image_url, duration_ms, isrc, explicit
  FROM ${dataset}.track_snapshots
  WHERE found
  QUALIFY ROW_NUMBER() OVER (PARTITION BY track_id, source ORDER BY taken_at DESC) = 1
),

placed AS (
  SELECT
    *,
    -- One order of all that is told of a track, so that its columns come from as few as can be.
    ROW_NUMBER() OVER (
      PARTITION BY track_id
      ORDER BY standing, told_at DESC, album_image_url IS NULL, album_name, album_release_date, duration_ms
    ) AS place
  FROM told
)

SELECT
  track_id,
  ANY_VALUE(track_name HAVING MIN IF(track_name IS NULL, NULL, place)) AS track_name,
  ANY_VALUE(artists[SAFE_OFFSET(0)].name HAVING MIN IF(ARRAY_LENGTH(artists) > 0, place, NULL)) AS artist_name,
  ANY_VALUE(artists HAVING MIN IF(ARRAY_LENGTH(artists) > 0, place, NULL)) AS artists,
  ANY_VALUE(album_id HAVING MIN IF(album_id IS NULL, NULL, place)) AS album_id,
  ANY_VALUE(album_name HAVING MIN IF(album_name IS NULL, NULL, place)) AS album_name,
  ANY_VALUE(album_artist_name HAVING MIN IF(album_artist_name IS NULL, NULL, place)) AS album_artist_name,
  ANY_VALUE(album_release_date HAVING MIN IF(album_release_date IS NULL, NULL, place)) AS album_release_date,
  ANY_VALUE(album_image_url HAVING MIN IF(album_image_url IS NULL, NULL, place)) AS album_image_url,
  ANY_VALUE(duration_ms HAVING MIN IF(duration_ms IS NULL, NULL, place)) AS duration_ms,
  ANY_VALUE(isrc HAVING MIN IF(isrc IS NULL, NULL, place)) AS isrc,
  ANY_VALUE(explicit HAVING MIN IF(explicit IS NULL, NULL, place)) AS explicit
FROM placed
GROUP BY track_id
-- What was found, and named nowhere, is no track that a row could be of.
HAVING track_name IS NOT NULL
