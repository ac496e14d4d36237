-- A song, an artist or an album within a span: its plays, its rank among its kind, and all plays beside it.
--   @user_id  STRING              whose plays
--   @kind     STRING              track, artist or album
--   @id       STRING              its key, or an id of Spotify's: of a track, of an artist, of an album
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: all
WITH ${item_item},

${item_credits},

${item_chosen},

${span},

${heard},

${credits},

${lines}

SELECT
  rank,
  key,
  plays,
  heard_ms,
  estimated_plays,
  unknown_plays,
  first_played_at,
  last_played_at,
  lines,
  (SELECT COUNT(*) FROM heard) AS all_plays
FROM ranked
WHERE key IN (SELECT key FROM counted WHERE track_id IN (SELECT track_id FROM item_chosen))
ORDER BY rank
LIMIT 1
