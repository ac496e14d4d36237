-- The newest plays of a span of days, newest first. Nothing is hidden here.
--   @user_id  STRING                                    whose plays
--   @from     DATE                                      first day
--   @to       DATE                                      last day, which counts too
--   @before   TIMESTAMP = "9999-12-31T00:00:00+00:00"   only plays before this instant
--   @limit    INT64 = 10                                how many
-- Months: @from to @to
SELECT
  played_at,
  played_at_local,
  played_on,
  track_id,
  song_id,
  track_name,
  NULLIF(artists[SAFE_OFFSET(0)].name, '') AS artist_name,
  NULLIF(artists[SAFE_OFFSET(0)].id, '') AS artist_id,
  NULLIF(album_name, '') AS album_name,
  album_key,
  album_image_url AS image_url,
  ms_played,
  duration_ms,
  skipped,
  reason_start,
  reason_end,
  context_uri,
  source
FROM ${dataset}.plays
WHERE
  user_id = @user_id
  AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
  AND played_on BETWEEN @from AND @to
  AND played_at < @before
ORDER BY played_at DESC
LIMIT @limit
