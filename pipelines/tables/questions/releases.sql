-- From which years the music is, by the album's release date; null where it is not known.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
WITH ${span},

${heard}

SELECT
  SAFE_CAST(SUBSTR(album_release_date, 1, 4) AS INT64) AS year,
  COUNT(*) AS plays,
  COUNT(DISTINCT song_id) AS songs
FROM heard
GROUP BY year
ORDER BY year
