-- What was first heard in a span: tracks, artists and albums of which no play before it is known.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @kind     STRING = ""         track, artist or album; empty for all three
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @limit    INT64 = 10          how many of each kind
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: until @to
-- A song was heard before if one of its track ids was, or another track with its song_id; an artist by id, or by name
-- where an id is not known; an album by key or id. found: how many of a kind there are. known_since: the first day of the
-- history, before which nothing is known.
WITH ${span},

${heard},

${credits},

${lines},

${firsts},

${known},

${since},

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
  (SELECT known_since FROM since) AS known_since
FROM fresh
WHERE place <= @limit
ORDER BY kind, rank
