"""For tools that look for this file, as Beam's ``--setup_file`` does; pyproject.toml has all that there is to say."""

from setuptools import setup

setup()
