-- The first and the last play of a span.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
WITH ${span},

${heard},

placed AS (
  SELECT
    *,
    ROW_NUMBER() OVER (ORDER BY played_at) AS from_first,
    ROW_NUMBER() OVER (ORDER BY played_at DESC) AS from_last
  FROM heard
)

SELECT
  'first' AS which,
${shown}
FROM placed
WHERE from_first = 1
UNION ALL
SELECT
  'last' AS which,
${shown}
FROM placed
WHERE from_last = 1
ORDER BY which
