"""Figures as SVG: from numbers to marks, without a library and without a script."""
