-- What one listener heard most over a span of days: tracks, artists and albums, one row for each, by kind and rank.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @kind     STRING = ""         track, artist or album; empty for all three
--   @limit    INT64 = 10          how many of each kind
--   @keys     ARRAY<STRING> = []  only lines of these keys, whatever their rank
--   @hidden   ARRAY<STRING> = []  what is left out: track:ID, artist:ID, artist_name:NAME (where there is no id), album:ID, context:URI
-- Months: before @from to @to
-- The rules are those of a month's top ten (pipelines/domain/ranking.py), with the whole span in the place of the month:
-- each track id goes by its preferred copy of the span, and a name without an id by the one id that the span knows for it.
-- For one month it gives that month's ten, and goes on after them. Songs that are two in two months may be one here.
-- is_tied: as many as the row above. tied_after: how many more rows have as many as this one.
WITH ${span},

${heard},

${credits},

${lines}

SELECT
  kind,
  rank,
  key,
  id,
  name,
  artist_name,
  artist_key,
  album_name,
  image_url,
  plays,
  heard_ms,
  estimated_plays,
  unknown_plays,
  first_played_at,
  last_played_at,
  is_tied,
  tied_after,
  lines
FROM ranked
WHERE IF(ARRAY_LENGTH(@keys) > 0, key IN UNNEST(@keys), rank <= @limit)
ORDER BY kind, rank
