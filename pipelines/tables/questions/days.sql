-- Day by day: plays and time of every day of a span, 0 where nothing was heard.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
WITH ${span},

${heard},

counted AS (
  SELECT
    played_on,
    COUNT(*) AS plays,
    SUM(heard_ms) AS heard_ms,
    COUNTIF(is_estimated) AS estimated_plays,
    COUNTIF(is_unknown) AS unknown_plays
  FROM heard
  GROUP BY played_on
)

SELECT
  day AS played_on,
  COALESCE(plays, 0) AS plays,
  heard_ms,
  COALESCE(estimated_plays, 0) AS estimated_plays,
  COALESCE(unknown_plays, 0) AS unknown_plays
FROM UNNEST(GENERATE_DATE_ARRAY(@from, @to)) AS day
LEFT JOIN counted ON counted.played_on = day
ORDER BY played_on
