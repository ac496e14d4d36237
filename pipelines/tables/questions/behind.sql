-- Months whose tens were made of another number of plays than the tables have; no row where all is well.
-- Months: all
WITH counted AS (
  SELECT user_id, month, COUNT(*) AS plays
  FROM ${dataset}.plays
  GROUP BY user_id, month
),

shown AS (
  SELECT user_id, month, MAX(plays_in_month) AS plays_in_month
  FROM ${dataset}.fullest_snapshots
  GROUP BY user_id, month
)

SELECT user_id, month, COALESCE(plays, 0) AS plays, COALESCE(plays_in_month, 0) AS plays_in_month
FROM counted
FULL JOIN shown USING (user_id, month)
WHERE COALESCE(plays, 0) <> COALESCE(plays_in_month, 0)
ORDER BY user_id, month
