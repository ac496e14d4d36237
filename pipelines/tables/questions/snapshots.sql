-- How much each source has said of artists and tracks, and how many playlists there are: what there is to show at all.
-- Months: none
SELECT 'playlist' AS kind, source, COUNT(DISTINCT playlist_id) AS things, MAX(taken_at) AS newest_at
FROM ${dataset}.playlist_snapshots
GROUP BY source
UNION ALL
SELECT 'artist', source, COUNT(DISTINCT artist_id), MAX(taken_at)
FROM ${dataset}.artist_snapshots
WHERE found
GROUP BY source
UNION ALL
SELECT 'track', source, COUNT(DISTINCT track_id), MAX(taken_at)
FROM ${dataset}.track_snapshots
WHERE found
GROUP BY source
ORDER BY kind, source
