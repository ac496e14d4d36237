-- The preferred copy of each track id, and of each album's id among these.
copies AS (
  SELECT
    track_id,
    track_name,
    song_id,
    NULLIF(artist_id, '') AS artist_id,
    NULLIF(artist_name, '') AS artist_name,
    NULLIF(album_id, '') AS album_id,
    NULLIF(album_name, '') AS album_name,
    COALESCE(NULLIF(album_artist_name, ''), NULLIF(artist_name, '')) AS album_artist,
    COALESCE(album_key, album_id, album_name) AS album_key, -- rows of before the column came, until a rebuild
    source_rank * 1000000000000000 + UNIX_MILLIS(ingested_at) AS preference
  FROM heard
  WHERE played_at IN (
    SELECT ANY_VALUE(played_at HAVING MIN (source_rank * 1000000000000000 + UNIX_MILLIS(ingested_at)))
    FROM (
      SELECT track_id, source_rank, ingested_at, MAX(played_at) AS played_at
      FROM heard
      GROUP BY track_id, source_rank, ingested_at
    )
    GROUP BY track_id
  )
),

album_copies AS (
  SELECT album_id, copy.album_name, copy.album_artist, copy.album_key
  FROM (
    SELECT
      album_id,
      -- The first by preference, then by track id: numbers of one length, so that their text is in their order.
      ANY_VALUE(
        STRUCT(album_name, album_artist, album_key)
        HAVING MIN CONCAT(CAST(10000000000000000 + preference AS STRING), track_id)
      ) AS copy
    FROM copies
    WHERE album_id IS NOT NULL AND album_name IS NOT NULL
    GROUP BY album_id
  )
),

-- The one id of each name that has just one.
artist_ids AS (
  SELECT artist_name, MIN(artist_id) AS only_id
  FROM copies
  WHERE artist_id IS NOT NULL AND artist_name IS NOT NULL
  GROUP BY artist_name
  HAVING MIN(artist_id) = MAX(artist_id)
),

-- What a track id counts for. A track's song_id at the span's preferred copy is that copy's own key, since that copy is
-- its month's preferred one too.
credits AS (
  SELECT
    copies.track_id,
    copies.track_name,
    copies.song_id,
    copies.artist_name,
    IF(
      copies.artist_name IS NULL,
      NULL,
      COALESCE(
        copies.artist_id,
        artist_ids.only_id,
        CONCAT('names:', SUBSTR(TO_HEX(SHA256(CONCAT('artist\x1f', copies.artist_name))), 1, 22))
      )
    ) AS artist_key,
    COALESCE(album_copies.album_key, copies.album_key) AS album_key,
    COALESCE(copies.album_id, copies.album_key) AS shown_album_id,
    copies.album_id IS NOT NULL AS is_album_of_spotify,
    IF(copies.album_name IS NULL, NULL, COALESCE(album_copies.album_name, copies.album_name)) AS album_name,
    IF(album_copies.album_id IS NULL, copies.album_artist, album_copies.album_artist) AS album_artist
  FROM copies
  LEFT JOIN artist_ids ON artist_ids.artist_name = copies.artist_name
  LEFT JOIN album_copies ON album_copies.album_id = copies.album_id
)
