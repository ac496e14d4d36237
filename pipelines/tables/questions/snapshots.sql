-- Which sources have said anything of playlists, artists and tracks: what there is to show beside plays.
-- Months: none
SELECT DISTINCT 'artist' AS kind, source FROM ${dataset}.artist_snapshots WHERE found
UNION ALL
SELECT DISTINCT 'playlist', source FROM ${dataset}.playlist_snapshots
UNION ALL
SELECT DISTINCT 'track', source FROM ${dataset}.track_snapshots WHERE found
ORDER BY kind, source
