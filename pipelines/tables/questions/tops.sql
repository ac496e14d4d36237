-- A page of a long list of one kind: what one listener heard over a span of days, in any of four orders.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @kind     STRING              track, artist or album
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @order    STRING = "plays"    plays, time, first (first heard first) or name
--   @after    STRING = ""         the place of the last row of the page before
--   @limit    INT64 = 100         how many rows
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
-- Rows and ranks are those of tens. place is where a row stands in the order: no two are the same, so that no row is
-- shown twice or lost between two pages.
WITH ${span},

${heard},

${credits},

${lines},

in_order AS (
  SELECT
    ranked.*,
    CONCAT(
      CASE @order
        WHEN 'name' THEN REGEXP_REPLACE(NORMALIZE_AND_CASEFOLD(name, NFKD), r'\pM', '')
        WHEN 'first' THEN LPAD(CAST(UNIX_MILLIS(first_played_at) AS STRING), 15, '0')
        ELSE CONCAT(
          LPAD(CAST(1000000000000000 - IF(@order = 'time', COALESCE(heard_ms, -1), plays) AS STRING), 16, '0'),
          LPAD(CAST(10000000000 - UNIX_SECONDS(last_played_at) AS STRING), 11, '0')
        )
      END,
      ' ',
      id,
      ' ',
      key
    ) AS place
  FROM ranked
)

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
  lines,
  place
FROM in_order
WHERE place > @after
ORDER BY place
LIMIT @limit
