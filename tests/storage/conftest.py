"""A bucket for every test that asks for one."""

from tests.standins.cloud_storage import bucket

__all__ = ["bucket"]
