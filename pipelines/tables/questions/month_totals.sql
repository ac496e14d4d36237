-- Month by month: plays, time, songs and days, for each month of a span that has plays.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
WITH ${span},

${heard}

SELECT
  month,
  COUNT(*) AS plays,
  SUM(heard_ms) AS heard_ms,
  COUNTIF(is_estimated) AS estimated_plays,
  COUNTIF(is_unknown) AS unknown_plays,
  COUNT(DISTINCT song_id) AS songs,
  COUNT(DISTINCT played_on) AS days
FROM heard
GROUP BY month
ORDER BY month
