-- What is in a watched playlist now, by position, and since when; with one listener's plays of each track.
--   @user_id  STRING       whose plays
--   @id       STRING       the playlist's id at Spotify
--   @limit    INT64 = 100  how many tracks
-- Months: all
-- moved: how many places up since it was first seen there. plays are those of this track id alone.
WITH heard AS (
  SELECT track_id, COUNT(*) AS plays
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY track_id
)

SELECT
  stays.last_position AS position,
  stays.first_position - stays.last_position AS moved,
  stays.best_position,
  stays.track_id,
  stays.track_name,
  stays.artist_name,
  stays.added_at,
  stays.came_at,
  stays.is_from_the_start,
  COALESCE(heard.plays, 0) AS plays,
  COUNT(*) OVER () AS lines
FROM ${dataset}.playlist_history AS stays
LEFT JOIN heard ON heard.track_id = stays.track_id
WHERE stays.playlist_id = @id AND stays.left_at IS NULL
ORDER BY stays.last_position, stays.entry
LIMIT @limit
