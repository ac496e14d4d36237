-- The first and the last play of a span.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
WITH ${span},

${heard},

edges AS (
  SELECT 'first' AS which, MIN(played_at) AS edge FROM heard
  UNION ALL
  SELECT 'last', MAX(played_at) FROM heard
)

SELECT
  which,
${shown}
FROM ${dataset}.plays
JOIN edges ON played_at = edge
WHERE
  user_id = @user_id
  AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
ORDER BY which
