-- Days in a row with a play on each, as a span cuts them, the longest first.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @today    DATE                the day it is: without a play yet it ends no streak
--   @unknown_days  ARRAY<DATE> = []  days that no poll reached: they neither end a streak nor count
--   @limit    INT64 = 10          how many
-- Months: all
-- since and until are its true ends, which may lie outside the span. unknown_days: how many of its days are not known.
WITH days_played AS (
  SELECT DISTINCT played_on AS day
  FROM ${dataset}.plays
  WHERE user_id = @user_id
),

days AS (
  SELECT day, LOGICAL_OR(is_played) AS is_played
  FROM (
    SELECT day, TRUE AS is_played
    FROM days_played
    UNION ALL
    SELECT day, FALSE
    FROM UNNEST(@unknown_days) AS day
  )
  GROUP BY day
),

runs AS (
  SELECT *, DATE_SUB(day, INTERVAL ROW_NUMBER() OVER (ORDER BY day) DAY) AS run
  FROM days
),

bounds AS (
  SELECT run, MIN(IF(is_played, day, NULL)) AS since, MAX(IF(is_played, day, NULL)) AS until, MAX(day) AS reaches
  FROM runs
  GROUP BY run
)

SELECT
  MIN(IF(is_played, day, NULL)) AS first_day,
  MAX(IF(is_played, day, NULL)) AS last_day,
  COUNTIF(is_played) AS days,
  COUNTIF(NOT is_played) AS unknown_days,
  since,
  until,
  DATE_DIFF(@today, ANY_VALUE(reaches), DAY) <= 1 AS is_running
FROM runs
JOIN bounds USING (run)
WHERE day BETWEEN GREATEST(@from, since) AND LEAST(@to, until)
GROUP BY run, since, until
HAVING COUNTIF(is_played) > 0
ORDER BY days DESC, first_day
LIMIT @limit
