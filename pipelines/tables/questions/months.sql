-- The months that one listener has plays of, in their order.
--   @user_id  STRING  whose
-- Months: none
SELECT month, MAX(plays_in_month) AS plays, LOGICAL_AND(is_final) AS is_final, MAX(computed_at) AS computed_at
FROM ${dataset}.fullest_snapshots
WHERE user_id = @user_id
GROUP BY month
ORDER BY month
