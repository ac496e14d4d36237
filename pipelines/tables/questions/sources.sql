-- Where the plays of a span were learned from, and of how many it says whether they were skipped. Nothing is hidden here.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
-- Months: @from to @to
SELECT
  source,
  COUNT(*) AS plays,
  COUNTIF(skipped IS NOT NULL) AS skip_known,
  COUNTIF(skipped) AS skipped,
  MIN(played_at) AS first_played_at,
  MAX(played_at) AS last_played_at
FROM ${dataset}.plays
WHERE user_id = @user_id AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to AND played_on BETWEEN @from AND @to
GROUP BY source
ORDER BY plays DESC, source
