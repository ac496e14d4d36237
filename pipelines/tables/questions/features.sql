-- The audio features of a span's ten songs, where Spotify gave them: one row a song, null where it did not.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @by       STRING = "plays"    plays or time: what is ranked by
--   @limit    INT64 = 10          how many songs
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
--   @kind     STRING = "track"    track
-- Months: before @from to @to
WITH ${span},

${heard},

${credits},

${lines},

known AS (
  SELECT *
  FROM ${dataset}.track_snapshots
  WHERE found AND source = 'SPOTIFY' AND danceability IS NOT NULL
  QUALIFY ROW_NUMBER() OVER (PARTITION BY track_id ORDER BY taken_at DESC) = 1
)

SELECT
  ranked.rank AS rank,
  ranked.key AS key,
  ranked.id AS id,
  ranked.name AS name,
  ranked.artist_name AS artist_name,
  ranked.plays AS plays,
  known.danceability,
  known.energy,
  known.valence,
  known.acousticness,
  known.instrumentalness,
  known.liveness,
  known.speechiness,
  known.tempo,
  known.loudness,
  known.taken_at
FROM ranked
LEFT JOIN known ON known.track_id = ranked.id
WHERE ranked.kind = 'track' AND ranked.rank <= @limit
ORDER BY rank
