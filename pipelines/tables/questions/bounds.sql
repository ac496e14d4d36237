-- Between which instants one listener's history lies; no row where there is none.
--   @user_id  STRING  whose
-- Months: ends
WITH months AS (
  SELECT MIN(month) AS first_month, MAX(month) AS last_month, SUM(plays_in_month) AS plays
  FROM ${dataset}.fullest_snapshots
  WHERE user_id = @user_id AND kind = 'track'
)

SELECT
  MIN(played_at) AS first_played_at,
  MAX(played_at) AS last_played_at,
  ANY_VALUE(played_on HAVING MIN played_at) AS first_played_on,
  ANY_VALUE(played_on HAVING MAX played_at) AS last_played_on,
  ANY_VALUE(played_at_local HAVING MAX played_at) AS last_played_at_local,
  MAX(ingested_at) AS last_ingested_at,
  (SELECT plays FROM months) AS plays
FROM ${dataset}.plays
WHERE
  user_id = @user_id
  AND month IN ((SELECT first_month FROM months), (SELECT last_month FROM months))
HAVING COUNT(*) > 0
