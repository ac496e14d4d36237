-- The first and the last play of a span.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
WITH ${span},

${heard},

edges AS (
  SELECT MIN(played_at) AS first_played_at, MAX(played_at) AS last_played_at
  FROM heard
)

SELECT
  'first' AS which,
${shown}
FROM ${dataset}.plays
WHERE
  user_id = @user_id
  AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
  AND played_at = (SELECT first_played_at FROM edges)
UNION ALL
SELECT
  'last' AS which,
${shown}
FROM ${dataset}.plays
WHERE
  user_id = @user_id
  AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
  AND played_at = (SELECT last_played_at FROM edges)
ORDER BY which
