-- The newest plays of a span of days, newest first. Nothing is hidden here.
--   @user_id  STRING                                    whose plays
--   @from     DATE                                      first day
--   @to       DATE                                      last day, which counts too
--   @before   TIMESTAMP = "9999-12-31T00:00:00+00:00"   only plays before this instant
--   @limit    INT64 = 10                                how many
-- Months: @from to @to
SELECT
${shown}
FROM ${dataset}.plays
WHERE
  user_id = @user_id
  AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
  AND played_on BETWEEN @from AND @to
  AND played_at < @before
ORDER BY played_at DESC
LIMIT @limit
