-- Who has plays here: one row for each listener.
-- Months: none
SELECT
  user_id,
  MIN(month) AS first_month,
  MAX(month) AS last_month,
  SUM(plays_in_month) AS plays,
  MAX(computed_at) AS computed_at
FROM ${dataset}.fullest_snapshots
WHERE kind = 'track'
GROUP BY user_id
ORDER BY user_id
