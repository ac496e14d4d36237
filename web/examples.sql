-- Queries to start from, word for word those of docs/queries.md: a title, and BigQuery SQL up to its semicolon.

-- Top ten of a month
SELECT rank, track_name, artist_name, plays
FROM heavy_rotation.monthly_top_tracks
WHERE month = (SELECT MAX(month) FROM heavy_rotation.monthly_top_tracks)
ORDER BY rank;

-- A month's songs
SELECT
  ANY_VALUE(track_name HAVING MAX played_at) AS track_name,
  ANY_VALUE(artists[SAFE_OFFSET(0)].name HAVING MAX played_at) AS artist_name,
  COUNT(*) AS plays,
  COUNT(DISTINCT track_id) AS track_ids
FROM heavy_rotation.plays
WHERE month = (SELECT MAX(month) FROM heavy_rotation.monthly_top_tracks)
GROUP BY song_id
ORDER BY plays DESC, MAX(played_at) DESC;

-- An artist's months
SELECT
  month,
  COUNT(*) AS plays,
  ROUND(SUM(COALESCE(ms_played, duration_ms)) / 3600000, 1) AS hours
FROM heavy_rotation.plays
WHERE artists[SAFE_OFFSET(0)].name = (
  SELECT artist_name FROM heavy_rotation.monthly_top_artists ORDER BY month DESC, rank LIMIT 1
)
GROUP BY month
ORDER BY month;

-- First time heard
SELECT
  ANY_VALUE(track_name HAVING MIN played_at) AS track_name,
  ANY_VALUE(artists[SAFE_OFFSET(0)].name HAVING MIN played_at) AS artist_name,
  MIN(played_at_local) AS first_played,
  COUNT(*) AS plays
FROM heavy_rotation.plays
GROUP BY song_id
ORDER BY first_played DESC
LIMIT 20;

-- Hours of the day
SELECT EXTRACT(HOUR FROM played_at AT TIME ZONE 'Europe/Paris') AS hour, COUNT(*) AS plays
FROM heavy_rotation.plays
GROUP BY hour
ORDER BY hour;

-- Year in review
SELECT
  EXTRACT(YEAR FROM month) AS year,
  COUNT(*) AS plays,
  COUNT(DISTINCT song_id) AS different_songs,
  COUNT(DISTINCT artists[SAFE_OFFSET(0)].name) AS different_artists,
  COUNT(DISTINCT played_on) AS days,
  ROUND(SUM(COALESCE(ms_played, duration_ms)) / 3600000) AS hours
FROM heavy_rotation.plays
GROUP BY year
ORDER BY year;

-- Longest streak
WITH days AS (
  SELECT DISTINCT played_on FROM heavy_rotation.plays
),
streaks AS (
  SELECT
    played_on,
    DATE_SUB(played_on, INTERVAL ROW_NUMBER() OVER (ORDER BY played_on) DAY) AS streak
  FROM days
)
SELECT MIN(played_on) AS first_day, MAX(played_on) AS last_day, COUNT(*) AS days
FROM streaks
GROUP BY streak
ORDER BY days DESC, first_day
LIMIT 1;

-- New artists
WITH first_plays AS (
  SELECT artists[SAFE_OFFSET(0)].name AS artist_name, MIN(month) AS month
  FROM heavy_rotation.plays
  GROUP BY artist_name
)
SELECT month, COUNT(*) AS new_artists, ARRAY_AGG(artist_name ORDER BY artist_name LIMIT 3) AS among_them
FROM first_plays
GROUP BY month
ORDER BY month;

-- Dropped out
SELECT earlier.rank, earlier.track_name, earlier.artist_name, earlier.plays
FROM heavy_rotation.monthly_top_tracks AS earlier
LEFT JOIN heavy_rotation.monthly_top_tracks AS later
  ON later.song_id = earlier.song_id
  AND later.user_id = earlier.user_id
  AND later.month = DATE_ADD(earlier.month, INTERVAL 1 MONTH)
WHERE
  earlier.month = DATE_SUB((SELECT MAX(month) FROM heavy_rotation.monthly_top_tracks), INTERVAL 1 MONTH)
  AND later.song_id IS NULL
ORDER BY earlier.rank;

-- Tracks, albums, artists
SELECT * FROM heavy_rotation.track_info ORDER BY artist_name, track_name, track_id;

-- What came into a playlist
SELECT playlist_name, track_name, artist_name, came_at, left_at, first_position, best_position
FROM heavy_rotation.playlist_history
WHERE NOT is_from_the_start
ORDER BY came_at DESC, first_position
LIMIT 20;

-- An artist's figures over time
SELECT artist_name, source, DATE(taken_at) AS day, popularity, followers, listeners, listens
FROM heavy_rotation.artist_history
WHERE COALESCE(popularity, followers, listeners, listens) IS NOT NULL
ORDER BY artist_name, source, taken_at;

-- Genres of a month
SELECT month, source, rank, genre, plays, known_plays, all_plays
FROM heavy_rotation.monthly_top_genres
WHERE month = (SELECT MAX(month) FROM heavy_rotation.monthly_top_tracks)
ORDER BY source, rank;
