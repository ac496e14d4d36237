-- is_tied is rank > first_rank, tied_after last_rank - rank.
tied AS (
  SELECT kind, amount, MIN(rank) AS first_rank, MAX(rank) AS last_rank
  FROM ranked
  GROUP BY kind, amount
)
