-- What came into a watched playlist and what left it, the newest first, with one listener's plays of each track.
--   @user_id  STRING      whose plays
--   @id       STRING      the playlist's id at Spotify
--   @limit    INT64 = 50  how many changes
-- Months: all
-- changed_at is when the first state with the change was read; it happened between that and the state before.
WITH heard AS (
  SELECT track_id, COUNT(*) AS plays
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY track_id
),

changes AS (
  SELECT came_at AS changed_at, 'came' AS change, first_position AS position, track_id, track_name, artist_name, added_at, entry
  FROM ${dataset}.playlist_history
  WHERE playlist_id = @id AND NOT is_from_the_start
  UNION ALL
  SELECT left_at, 'left', last_position, track_id, track_name, artist_name, added_at, entry
  FROM ${dataset}.playlist_history
  WHERE playlist_id = @id AND left_at IS NOT NULL
)

SELECT
  changes.changed_at,
  changes.change,
  changes.position,
  changes.track_id,
  changes.track_name,
  changes.artist_name,
  changes.added_at,
  COALESCE(heard.plays, 0) AS plays,
  COUNT(*) OVER () AS lines
FROM changes
LEFT JOIN heard ON heard.track_id = changes.track_id
ORDER BY changed_at DESC, change, position, entry
LIMIT @limit
