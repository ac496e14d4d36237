-- Plays of a span whose track, artist or album has a text in its name, the newest first. Nothing is hidden here.
--   @user_id  STRING                                    whose plays
--   @from     DATE                                      first day
--   @to       DATE                                      last day, which counts too
--   @q        STRING = ""                               the text, whatever its case, accents and width; empty for all
--   @before   TIMESTAMP = "9999-12-31T00:00:00+00:00"   only plays before this instant
--   @limit    INT64 = 100                               how many
-- Months: @from to @to
WITH ${matching}

SELECT
${shown}
FROM ${dataset}.plays
WHERE
  user_id = @user_id
  AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
  AND played_at IN (SELECT played_at FROM matching)
ORDER BY played_at DESC
