-- When the newest of those plays of a span were whose track, artist or album has a text in its name.
wanted AS (
  SELECT played_at, track_name, artists[SAFE_OFFSET(0)].name AS artist_name, album_name
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
  SELECT artist_name FROM wanted WHERE @q <> '' AND artist_name IS NOT NULL
  UNION DISTINCT
  SELECT album_name FROM wanted WHERE @q <> '' AND album_name IS NOT NULL
),

hits AS (
  SELECT text
  FROM texts
  WHERE
    ${folded_search}
),

matching AS (
  SELECT played_at
  FROM wanted
  WHERE
    @q = ''
    OR track_name IN (SELECT text FROM hits)
    OR COALESCE(artist_name, '') IN (SELECT text FROM hits)
    OR COALESCE(album_name, '') IN (SELECT text FROM hits)
  ORDER BY played_at DESC
  LIMIT @limit
)
