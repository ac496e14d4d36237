"""The HTTP API, ``/api/v1``: figures and plays as JSON, tables in SQL, and everything at once."""

from fastapi import APIRouter

from web.api import description, export, figures, query, tables

ROUTERS: tuple[APIRouter, ...] = (figures.router, tables.router, query.router, export.router, description.router)
