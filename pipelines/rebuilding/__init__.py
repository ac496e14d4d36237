"""The rebuild: archive files in, whole months of tables out, in a folder or in BigQuery."""
