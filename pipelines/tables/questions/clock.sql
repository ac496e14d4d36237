-- When in the week music was heard: plays by weekday and hour of the local clock, for cells that have any.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
-- weekday is 1 for Monday to 7 for Sunday, hour 0 to 23, of the end of the play.
WITH ${span},

${heard}

SELECT
  MOD(EXTRACT(DAYOFWEEK FROM played_on) + 5, 7) + 1 AS weekday,
  EXTRACT(HOUR FROM played_at_local) AS hour,
  COUNT(*) AS plays
FROM heard
GROUP BY weekday, hour
ORDER BY weekday, hour
