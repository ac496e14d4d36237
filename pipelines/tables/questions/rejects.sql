-- What could not be read, by reason.
-- Months: none
SELECT origin, reason, COUNT(*) AS messages, MIN(rejected_at) AS oldest_at, MAX(rejected_at) AS newest_at
FROM ${dataset}.rejected
GROUP BY origin, reason
ORDER BY newest_at DESC, origin, reason
