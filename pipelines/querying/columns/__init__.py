"""What many questions compute first, and whole questions of pages, on columns of numbers instead of rows of text.

The questions and their parts (``pipelines/tables/questions``) say what is computed. Here some are computed again, for a
folder, whose pages would else wait for DuckDB: it plans a part about a month of 2,000 plays for longer than all of this
takes. Tests hold both equal, and a part that reads otherwise than the one that is meant here is DuckDB's.
"""
