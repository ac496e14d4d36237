heard AS (
  SELECT * FROM span WHERE NOT is_hidden
)
