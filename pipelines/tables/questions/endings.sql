-- Why plays ended, as the source says it; null where it does not.
--   @user_id  STRING              whose plays
--   @from     DATE                first day
--   @to       DATE                last day, which counts too
--   @hidden   ARRAY<STRING> = []  what is left out, as in tens
-- Months: before @from to @to
WITH ${span},

${heard}

SELECT reason_end, COUNT(*) AS plays, COUNTIF(skipped) AS skipped, COUNTIF(skipped IS NOT NULL) AS skip_known
FROM heard
GROUP BY reason_end
ORDER BY plays DESC, reason_end
