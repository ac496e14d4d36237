-- Every play of one listener's month with all that is known of it, oldest first: what an export of everything is made of.
--   @user_id  STRING  whose plays
--   @month    DATE    the month's first day
-- Months: @month to @month
SELECT *
FROM ${dataset}.plays
WHERE user_id = @user_id AND month = @month
ORDER BY played_at
