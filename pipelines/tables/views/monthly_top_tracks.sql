-- The ten most played tracks of every month, one row for each rank.
SELECT
  user_id,
  month,
  item.rank,
  item.id AS track_id,
  item.name AS track_name,
  item.artist_name,
  item.plays,
  item.last_played_at,
  is_final,
  computed_at,
  item.song_id
FROM ${dataset}.fullest_snapshots, UNNEST(items) AS item
WHERE kind = 'track'
