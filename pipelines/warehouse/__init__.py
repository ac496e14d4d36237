"""Where rows go: a folder of Parquet files on this machine, or BigQuery. The same tables in both."""
