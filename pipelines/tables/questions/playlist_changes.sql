-- What came into a watched playlist and what left it, the newest first, and by position.
--   @id     STRING      the playlist's id at Spotify
--   @limit  INT64 = 50  how many changes
-- Months: none
-- changed_at is when the first state with the change was read; it happened between that and the state before.
WITH changes AS (
  SELECT came_at AS changed_at, 'came' AS change, first_position AS position, track_id, track_name, artist_name, added_at, entry
  FROM ${dataset}.playlist_history
  WHERE playlist_id = @id AND NOT is_from_the_start
  UNION ALL
  SELECT left_at, 'left', last_position, track_id, track_name, artist_name, added_at, entry
  FROM ${dataset}.playlist_history
  WHERE playlist_id = @id AND left_at IS NOT NULL
)

SELECT
  changed_at,
  change,
  position,
  track_id,
  track_name,
  artist_name,
  added_at,
  COUNT(*) OVER () AS lines
FROM changes
ORDER BY changed_at DESC, change, position, entry
LIMIT @limit
