-- A span of days in a row: plays, time, how many songs, artists and albums, how much was skipped.
--   @user_id  STRING                               whose plays
--   @from     DATE                                 first day
--   @to       DATE                                 last day, which counts too
--   @until    DATETIME = "9999-12-31T00:00:00"     only what was heard before, by the local clock
--   @hidden   ARRAY<STRING> = []                   what is left out, as in tens
-- Months: before @from to @to
-- heard_ms is null where no time is known, and a sum of what is known where some is. skip_known: of how many plays the
-- source says whether they were skipped.
WITH ${span},

heard AS (
  SELECT * FROM span WHERE NOT is_hidden AND played_at_local < @until
),

${credits},

${different},

counted AS (
  SELECT
    COUNTIF(NOT is_hidden) AS plays,
    COUNTIF(is_hidden) AS hidden_plays,
    SUM(IF(is_hidden, NULL, heard_ms)) AS heard_ms,
    COUNTIF(NOT is_hidden AND is_estimated) AS estimated_plays,
    COUNTIF(NOT is_hidden AND is_unknown) AS unknown_plays,
    COUNT(DISTINCT IF(is_hidden, NULL, played_on)) AS days,
    COUNTIF(NOT is_hidden AND skipped) AS skipped,
    COUNTIF(NOT is_hidden AND skipped IS NOT NULL) AS skip_known,
    MIN(IF(is_hidden, NULL, played_at)) AS first_played_at,
    MAX(IF(is_hidden, NULL, played_at)) AS last_played_at
  FROM span
  WHERE played_at_local < @until
)

SELECT
  plays,
  hidden_plays,
  heard_ms,
  estimated_plays,
  unknown_plays,
  songs,
  artists,
  albums,
  days,
  skipped,
  skip_known,
  first_played_at,
  last_played_at
FROM counted
CROSS JOIN different
