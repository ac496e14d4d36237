"""What many questions compute first, computed on columns of numbers instead of rows of text.

The parts of questions (``pipelines/tables/questions/parts``) say what is computed; here some of them are computed again,
for a folder whose listener's pages would else wait for DuckDB: planning a part for a month of 2,000 plays takes it longer
than all of this. Tests hold the two equal; a part whose text is changed is DuckDB's until it is changed here too.
"""
