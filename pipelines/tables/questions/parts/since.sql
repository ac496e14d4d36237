-- The first day of the history, before which nothing is known.
since AS (
  SELECT MIN(played_on) AS known_since
  FROM ${dataset}.plays
  WHERE user_id = @user_id
)
