-- One snapshot for each user, month and kind: the one with the most plays behind it, then the newest.
-- plays_in_month only grows, so this is right under duplicates, reordering, retries and restarts.
SELECT *
FROM ${dataset}.top_ten_snapshots
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY user_id, month, kind
  ORDER BY plays_in_month DESC, computed_at DESC
) = 1
