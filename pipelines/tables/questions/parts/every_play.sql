-- All plays of a listener, with what decides what each track counts for.
every_play AS (
  SELECT
    *,
    ${first_artist},
    ${source_rank}
  FROM ${dataset}.plays
  WHERE user_id = @user_id
),

heard AS (
  SELECT * FROM every_play
)
