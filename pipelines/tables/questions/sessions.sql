-- Sessions that began in a span: plays with less than 30 minutes of silence between two, the longest first.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @limit    INT64 = 10          how many
-- Months: before @from to after @to
-- A play starts its time heard before its end. A session belongs to the day on which it began, and lasts from the first
-- start to the last end; at least so long where the time of its first play is not known. A month before the span and one
-- after it are read too, so that no border cuts a session.
WITH listened AS (
  SELECT
    played_at,
    played_at_local,
    ended_before,
    ${time_heard}
  FROM (
    SELECT *, LAG(played_at) OVER (ORDER BY played_at) AS ended_before
    FROM ${dataset}.plays
    WHERE
      user_id = @user_id
      AND month BETWEEN DATE_SUB(DATE_TRUNC(@from, MONTH), INTERVAL 1 MONTH)
      AND DATE_ADD(DATE_TRUNC(@to, MONTH), INTERVAL 1 MONTH)
  )
),

numbered AS (
  SELECT
    *,
    COUNTIF(
      ended_before IS NULL
      OR UNIX_MILLIS(played_at) - COALESCE(heard_ms, 0) - UNIX_MILLIS(ended_before) >= 30 * 60 * 1000
    ) OVER (ORDER BY played_at) AS number
  FROM listened
),

sessions AS (
  SELECT
    TIMESTAMP_SUB(
      MIN(played_at), INTERVAL ANY_VALUE(COALESCE(heard_ms, 0) HAVING MIN played_at) MILLISECOND
    ) AS started_at,
    MAX(played_at) AS ended_at,
    DATETIME_SUB(
      MIN(played_at_local), INTERVAL ANY_VALUE(COALESCE(heard_ms, 0) HAVING MIN played_at) MILLISECOND
    ) AS started_at_local,
    ANY_VALUE(played_at_local HAVING MAX played_at) AS ended_at_local,
    COUNT(*) AS plays,
    SUM(heard_ms) AS heard_ms,
    COUNTIF(is_estimated) AS estimated_plays,
    COUNTIF(is_unknown) AS unknown_plays,
    ANY_VALUE(heard_ms IS NULL HAVING MIN played_at) AS is_at_least
  FROM numbered
  GROUP BY number
)

SELECT
  started_at,
  ended_at,
  started_at_local,
  ended_at_local,
  DATE(started_at_local) AS started_on,
  plays,
  DIV(UNIX_MILLIS(ended_at) - UNIX_MILLIS(started_at), 1000) AS seconds,
  heard_ms,
  estimated_plays,
  unknown_plays,
  is_at_least,
  COUNT(*) OVER () AS sessions
FROM sessions
WHERE DATE(started_at_local) BETWEEN @from AND @to
ORDER BY UNIX_MILLIS(ended_at) - UNIX_MILLIS(started_at) DESC, started_at
LIMIT @limit
