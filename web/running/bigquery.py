"""A query of BigQuery's, which keeps the limits itself: bytes billed, time, and that it only reads."""

from concurrent.futures import TimeoutError as TooLateError

from pipelines.failure import Failure
from pipelines.warehouse.bigquery import bigquery_explained, briefly, parse_address
from web.running.answers import Answer


def run(address: str, sql: str, rows: int, *, seconds: int, bytes_billed: int) -> Answer:
    """The first rows of one SELECT. Raises Failure in BigQuery's words."""
    from google.api_core.exceptions import BadRequest, InternalServerError, NotFound
    from google.cloud import bigquery

    project, dataset = parse_address(address)
    place = f"{project}.{dataset}"
    with bigquery_explained(place), bigquery.Client(project=project) as client:
        try:
            # BigQuery's own judgement of what the statement is, before any of it runs; it costs nothing.
            judged = client.query(sql, bigquery.QueryJobConfig(default_dataset=place, dry_run=True), **briefly())
            if judged.statement_type != "SELECT":
                raise Failure("Only one SELECT at a time: the warehouse is read-only here.")
            config = bigquery.QueryJobConfig(
                default_dataset=place,
                maximum_bytes_billed=bytes_billed,
                job_timeout_ms=seconds * 1000,
                labels={"application": "heavy-rotation-web"},
            )
            job = client.query(sql, config, **briefly())
            try:
                found = job.result(max_results=rows, timeout=seconds)
            except TooLateError:
                job.cancel()
                raise Failure(f"The query took more than {seconds} seconds, which is as long as it may here.") from None
            return Answer(found.to_arrow(create_bqstorage_client=False), found.total_rows)
        except (BadRequest, NotFound, InternalServerError) as error:  # it is the query's fault, or nearly always
            raise Failure(" ".join(str(error.message).split())) from None
