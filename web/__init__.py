"""Pages, figures and an API over the tables, without Beam: ``heavy-rotation web``."""
