-- What was first heard in a span: tracks, artists and albums of which no play before it is known.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @kind     STRING = ""         track, artist or album; empty for all three
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @limit    INT64 = 10          how many of each kind
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: all
-- A song was heard before if one of its track ids was, or another track with its song_id; an artist by id, or by name
-- where an id is not known; an album by key or id. found: how many of a kind there are. known_since: the first day of the
-- history, before which nothing is known.
WITH ${span},

${heard},

${credits},

${lines},

earlier AS (
  SELECT
    song_id,
    track_id,
    NULLIF(artists[SAFE_OFFSET(0)].id, '') AS artist_id,
    NULLIF(artists[SAFE_OFFSET(0)].name, '') AS artist_name,
    NULLIF(album_id, '') AS album_id,
    COALESCE(album_key, album_id, album_name) AS album_key
  FROM ${dataset}.plays
  WHERE
    user_id = @user_id
    AND month <= @from
    AND IF(@from = DATE_TRUNC(@from, MONTH), month < @from, played_on < @from)
),

known AS (
  SELECT kind, key
  FROM counted
  WHERE kind = 'track' AND (
    key IN (SELECT song_id FROM earlier)
    OR track_id IN (SELECT track_id FROM earlier)
  )
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'artist' AND (
    key IN (SELECT artist_id FROM earlier WHERE artist_id IS NOT NULL)
    OR name IN (SELECT artist_name FROM earlier WHERE artist_name IS NOT NULL AND artist_id IS NULL)
    OR (
      STARTS_WITH(key, 'names:')
      AND name IN (SELECT artist_name FROM earlier WHERE artist_name IS NOT NULL)
    )
  )
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'album' AND (
    key IN (SELECT album_key FROM earlier WHERE album_key IS NOT NULL)
    OR id IN (SELECT album_id FROM earlier WHERE album_id IS NOT NULL)
  )
),

found AS (
  SELECT
    ranked.*,
    ROW_NUMBER() OVER (PARTITION BY ranked.kind ORDER BY rank) AS place,
    COUNT(*) OVER (PARTITION BY ranked.kind) AS found
  FROM ranked
  LEFT JOIN known ON known.kind = ranked.kind AND known.key = ranked.key
  WHERE known.key IS NULL
)

SELECT
  kind,
  place AS rank,
  key,
  id,
  name,
  artist_name,
  image_url,
  first_played_at,
  first_played_on,
  plays,
  heard_ms,
  estimated_plays,
  unknown_plays,
  found,
  (SELECT MIN(played_on) FROM ${dataset}.plays WHERE user_id = @user_id) AS known_since
FROM found
WHERE place <= @limit
ORDER BY kind, place
