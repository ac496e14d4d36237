-- Plays of a span whose track, artist or album has a text in its name, the newest first. Nothing is hidden here.
--   @user_id  STRING                                    whose plays
--   @from     DATE                                      first day
--   @to       DATE                                      last day, which counts too
--   @q        STRING = ""                               the text, whatever its case, accents and width; empty for all
--   @before   TIMESTAMP = "9999-12-31T00:00:00+00:00"   only plays before this instant
--   @limit    INT64 = 100                               how many
-- Months: @from to @to
WITH wanted AS (
  SELECT *
  FROM ${dataset}.plays
  WHERE
    user_id = @user_id
    AND month BETWEEN DATE_TRUNC(@from, MONTH) AND @to
    AND played_on BETWEEN @from AND @to
    AND played_at < @before
),

texts AS (
  SELECT track_name AS text FROM wanted WHERE @q <> ''
  UNION DISTINCT
  SELECT artists[SAFE_OFFSET(0)].name FROM wanted WHERE @q <> '' AND ARRAY_LENGTH(artists) > 0
  UNION DISTINCT
  SELECT album_name FROM wanted WHERE @q <> '' AND album_name IS NOT NULL
),

hits AS (
  SELECT text
  FROM texts
  WHERE STRPOS(
    REGEXP_REPLACE(NORMALIZE_AND_CASEFOLD(text, NFKD), r'\pM', ''),
    REGEXP_REPLACE(NORMALIZE_AND_CASEFOLD(@q, NFKD), r'\pM', '')
  ) > 0
)

SELECT
${shown}
FROM wanted
WHERE
  @q = ''
  OR track_name IN (SELECT text FROM hits)
  OR COALESCE(artists[SAFE_OFFSET(0)].name, '') IN (SELECT text FROM hits)
  OR COALESCE(album_name, '') IN (SELECT text FROM hits)
ORDER BY played_at DESC
LIMIT @limit
