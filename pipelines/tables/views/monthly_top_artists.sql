-- The ten most played artists of every month, one row for each rank.
SELECT
  user_id,
  month,
  item.rank,
  item.id AS artist_id,
  item.name AS artist_name,
  item.plays,
  item.last_played_at,
  is_final,
  computed_at
FROM ${dataset}.fullest_snapshots, UNNEST(items) AS item
WHERE kind = 'artist'
