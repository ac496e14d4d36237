-- Each play once. Copies of one play (the same user and instant) may differ in what they know: the API's
-- copy knows most, then the extended export's, then the oldest copy is kept, so that the choice never
-- changes. pipelines/domain/play.py holds the same order for the pipelines.
SELECT *
FROM ${dataset}.play_events
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (
  PARTITION BY user_id, played_at
  ORDER BY
    CASE source WHEN 'RECENTLY_PLAYED' THEN 0 WHEN 'EXTENDED_EXPORT' THEN 1 ELSE 2 END,
    ingested_at,
    track_id
) = 1
