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
  SELECT *
  FROM ${dataset}.plays
  WHERE
    user_id = @user_id
    AND month <= @from
    AND IF(@from = DATE_TRUNC(@from, MONTH), month < @from, played_on < @from)
),

known AS (
  SELECT kind, key
  FROM counted
  WHERE kind = 'track' AND key IN (SELECT song_id FROM earlier)
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'track' AND track_id IN (SELECT track_id FROM earlier)
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'artist' AND key IN (SELECT artists[SAFE_OFFSET(0)].id FROM earlier)
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'artist' AND name IN (
    SELECT artists[SAFE_OFFSET(0)].name
    FROM earlier
    WHERE NULLIF(artists[SAFE_OFFSET(0)].id, '') IS NULL
  )
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'artist' AND STARTS_WITH(key, 'names:') AND name IN (SELECT artists[SAFE_OFFSET(0)].name FROM earlier)
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'album' AND key IN (SELECT COALESCE(album_key, album_id, album_name) FROM earlier)
  UNION DISTINCT
  SELECT kind, key
  FROM counted
  WHERE kind = 'album' AND id IN (SELECT album_id FROM earlier)
),

fresh AS (
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
FROM fresh
WHERE place <= @limit
ORDER BY kind, place
