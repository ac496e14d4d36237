-- An artist's top tracks as Spotify last ranked them, with one listener's plays of each.
--   @user_id  STRING  whose plays
--   @id       STRING  the artist's id at Spotify
-- Months: all
WITH newest AS (
  SELECT taken_at, top_tracks
  FROM ${dataset}.artist_history
  WHERE artist_id = @id AND source = 'SPOTIFY' AND ARRAY_LENGTH(top_tracks) > 0
  QUALIFY ROW_NUMBER() OVER (ORDER BY taken_at DESC) = 1
),

heard AS (
  SELECT track_id, COUNT(*) AS plays
  FROM ${dataset}.plays
  WHERE user_id = @user_id
  GROUP BY track_id
),

ranked AS (
  SELECT newest.taken_at AS taken_at, place + 1 AS rank, track.id AS track_id, track.name AS track_name
  FROM newest, UNNEST(top_tracks) AS track WITH OFFSET AS place
)

SELECT ranked.rank AS rank, ranked.track_id AS track_id, ranked.track_name AS track_name, ranked.taken_at AS taken_at, COALESCE(heard.plays, 0) AS plays
FROM ranked
LEFT JOIN heard ON heard.track_id = ranked.track_id
ORDER BY rank
