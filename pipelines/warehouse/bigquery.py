"""The tables in BigQuery: ``bigquery://project.dataset``. Terraform makes them; here they are checked and loaded.

Google's client is imported only once it is used, and made anew in each process. ``BIGQUERY_EMULATOR_HOST`` is the
client's own way to be sent elsewhere.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from zoneinfo import available_timezones

from pipelines.tables import DATASET, TABLES, Field, table_layout, table_schema
from pipelines.warehouse.folder import WarehouseError

SCHEME = "bigquery://"
# Of a dataset: its months are counted in this time zone. Terraform writes it.
TIME_ZONE_LABEL = "time_zone"
# An alert in infra/alerts.tf waits for this line. What is in the rows is for the table alone.
REJECTED_LINE = "%d rows went to the table rejected"
_ADDRESS = re.compile(r"bigquery://(?P<project>[^./]+)\.(?P<dataset>\w+)/?")
_ANSWERS_WITHIN_SECONDS = 10
_SYNONYMS = {"INT64": "INTEGER", "BOOL": "BOOLEAN", "STRUCT": "RECORD", "FLOAT64": "FLOAT"}


def as_label(time_zone: str) -> str:
    """A time zone as the dataset's label has it, where only small letters, digits, _ and - may be."""
    return time_zone.lower().replace("/", "-").replace("+", "_plus_")


def parse_address(address: str) -> tuple[str, str]:
    """Project and dataset of ``bigquery://project.dataset``. Raises WarehouseError."""
    parts = _ADDRESS.fullmatch(address)
    if not parts:
        raise WarehouseError(f"{address!r} is neither a folder nor bigquery://project.dataset")
    return parts["project"], parts["dataset"]


def dataset_of(warehouse: str) -> str:
    """What stands before a table's name in a query of a folder or of BigQuery. Raises WarehouseError."""
    return parse_address(warehouse)[1] if warehouse.startswith(SCHEME) else DATASET


class BigQueryWarehouse:
    """The tables of one dataset. Pickles as its address. Methods raise WarehouseError with BigQuery's reason."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.project, self.dataset = parse_address(address)

    def time_zone(self) -> str:
        """The time zone that its months are counted in, as the dataset's label says. Raises WarehouseError."""
        zone = self._label()
        by_label = {as_label(name): name for name in available_timezones()}
        if zone not in by_label:
            raise WarehouseError(
                f"{self.project}.{self.dataset} does not say in which time zone its months are, by its label "
                f"{TIME_ZONE_LABEL}; `terraform apply` in infra labels it"
            )
        return by_label[zone]

    def check(self, time_zone: str) -> None:
        """Raises WarehouseError, which says of each table how it is not what ``pipelines/tables`` says.

        Months that were counted in another time zone are another's tables: a rebuild of one would lose plays.
        """
        zone = self._label()
        if zone is None:
            raise WarehouseError(
                f"{self.project}.{self.dataset} does not say in which time zone its months are, by its label "
                f"{TIME_ZONE_LABEL}; `terraform apply` in infra labels it"
            )
        if zone != as_label(time_zone):
            raise WarehouseError(
                f"the months in {self.project}.{self.dataset} are counted in another time zone, {zone}, not in "
                f"{time_zone}; name it with --time-zone"
            )
        told = {table: list(self._differences(table)) for table in TABLES}
        if any(told.values()):
            raise WarehouseError(
                f"the tables in {self.project}.{self.dataset} are not as this version needs them; "
                "`terraform apply` in infra makes them so:\n"
                + "\n".join(f"  {table}: {'; '.join(how)}" for table, how in told.items() if how)
            )

    def by_month(self, table: str, aggregates: str) -> dict[date, list[str]]:
        """Of each month that a table with a column ``month`` has rows of: the values of these aggregates, as texts."""
        with bigquery_explained(self.name(table)):
            found = self._client.query_and_wait(
                f"SELECT month, {aggregates} FROM `{self.name(table)}` GROUP BY month"  # noqa: S608
            )
            return {row[0]: [str(value) for value in row.values()[1:]] for row in found}

    def rows_by_month(self, tables: Sequence[str]) -> dict[str, dict[date, int]]:
        """How many rows each of these tables has of each month, by one query."""
        counts = " UNION ALL ".join(
            f"SELECT '{table}' AS name, month, COUNT(*) AS row_count FROM `{self.name(table)}` GROUP BY month"  # noqa: S608
            for table in tables
        )
        found: dict[str, dict[date, int]] = {table: {} for table in tables}
        with bigquery_explained(f"{self.project}.{self.dataset}"):
            for row in self._client.query_and_wait(counts):
                found[row["name"]][row["month"]] = row["row_count"]
        return found

    def rows_of(self, table: str, months: Sequence[date], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """These columns of the rows that a table has of months, its partitions."""
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(query_parameters=[bigquery.ArrayQueryParameter("months", "DATE", months)])
        with bigquery_explained(self.name(table)):
            found = self._client.query_and_wait(
                f"SELECT {', '.join(columns)} FROM `{self.name(table)}` WHERE month IN UNNEST(@months)",  # noqa: S608
                job_config=config,
            )
            for row in found:
                yield dict(row.items())

    def message_ids(self, origin: str) -> set[str]:
        """The ``message_id`` of each row of ``rejected`` from there."""
        from google.cloud import bigquery

        name = self.name("rejected")
        config = bigquery.QueryJobConfig(query_parameters=[bigquery.ScalarQueryParameter("origin", "STRING", origin)])
        with bigquery_explained(name):
            found = self._client.query_and_wait(
                f"SELECT message_id FROM `{name}` WHERE origin = @origin",  # noqa: S608
                job_config=config,
            )
            return {row["message_id"] for row in found}

    def insert(self, table: str, rows: Sequence[dict[str, Any]]) -> dict[int, str]:
        """Stream rows of JSON values in, and say why by the index of each row that BigQuery refuses for ever."""
        with bigquery_explained(self.name(table)):
            # Without ids for BigQuery's own, short deduplication: every reader reads each row once anyway.
            refused = self._client.insert_rows_json(
                self.name(table), rows, row_ids=[None] * len(rows), skip_invalid_rows=True
            )
        return {refusal["index"]: reason_of(refusal["errors"]) for refusal in refused}

    def load(self, table: str, paths: Sequence[str], month: date | None = None) -> None:
        """Load files of JSON lines with one job, so that readers see all of it or nothing.

        Paths are all in Cloud Storage or all of this machine. With a ``month`` they take the place of its
        partition, without one they are added.
        """
        from google.cloud import bigquery

        with bigquery_explained(f"{self.name(table)}{f' of {month:%Y-%m}' if month else ''}"):
            there = self._client.get_table(self.name(table))
            config = bigquery.LoadJobConfig(
                source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
                create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
                write_disposition="WRITE_TRUNCATE" if month else "WRITE_APPEND",
                # The table's own: it may have columns that this version does not know.
                schema=there.schema,
            )
            options = {"job_config": config, "job_id_prefix": "heavy-rotation-", "location": there.location}
            destination = self._partition(table, month) if month else self.name(table)
            if paths[0].startswith("gs://"):
                job = self._client.load_table_from_uri(list(paths), destination, **options)
            else:
                with _joined(paths) as file:
                    job = self._client.load_table_from_file(file, destination, rewind=True, **options)
            job.result()

    def remove_month(self, table: str, month: date) -> None:
        """Remove the month's partition; one that is not there is removed already."""
        with bigquery_explained(self.name(table)):
            self._client.delete_table(self._partition(table, month), not_found_ok=True)

    def name(self, table: str) -> str:
        """``project.dataset.table``."""
        return f"{self.project}.{self.dataset}.{table}"

    def _label(self) -> str | None:
        """The time zone's label of the dataset."""
        from google.api_core.exceptions import NotFound

        with bigquery_explained(f"{self.project}.{self.dataset}"):
            try:
                labels = self._client.get_dataset(self.dataset, **briefly()).labels
            except NotFound:
                raise WarehouseError(
                    f"there is no dataset {self.project}.{self.dataset} in BigQuery; "
                    "`terraform apply` in infra makes it, with its tables"
                ) from None
        label: str | None = labels.get(TIME_ZONE_LABEL)
        return label

    def _partition(self, table: str, month: date) -> str:
        return f"{self.name(table)}${month:%Y%m}"

    def _differences(self, table: str) -> Iterator[str]:
        from google.api_core.exceptions import NotFound

        with bigquery_explained(self.name(table)):
            try:
                found = self._client.get_table(self.name(table), **briefly()).to_api_repr()
            except NotFound:
                yield "there is no such table"
                return
        yield from _other_columns(table_schema(table), found["schema"].get("fields", []))
        yield from _other_layout(table_layout(table), found)

    @cached_property
    def _client(self) -> Any:
        from google.cloud import bigquery

        return bigquery.Client(project=self.project)

    def __reduce__(self) -> tuple[type["BigQueryWarehouse"], tuple[str]]:
        return type(self), (self.address,)


def briefly() -> dict[str, Any]:
    """For a command's first call: without a network it should not take minutes to say so."""
    from google.cloud.bigquery.retry import DEFAULT_RETRY

    return {"retry": DEFAULT_RETRY.with_timeout(_ANSWERS_WITHIN_SECONDS), "timeout": _ANSWERS_WITHIN_SECONDS}


def reason_of(errors: Sequence[dict[str, str]] | str) -> str:
    """BigQuery's errors of one row in one line: what is wrong, and in which column."""
    if isinstance(errors, str):
        return errors
    told = (
        f"{error.get('reason')}: {error.get('message')}"
        + (f" (in {error['location']})" if error.get("location") else "")
        for error in errors
    )
    return "; ".join(told)


@contextmanager
def bigquery_explained(what: str) -> Iterator[None]:
    """Turn the errors of BigQuery's client into a WarehouseError of one line that says what to do."""
    from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, RetryError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from requests.exceptions import ConnectionError as NoConnectionError

    try:
        yield
    except Forbidden as error:
        raise WarehouseError(f"no permission for {what} in BigQuery ({error.message})") from error
    except NotFound as error:
        raise WarehouseError(f"there is no {what} in BigQuery ({error.message})") from error
    except GoogleAPICallError as error:
        raise WarehouseError(f"BigQuery refused {what}: {_in_one_line(error.message)}") from error
    except DefaultCredentialsError as error:
        raise WarehouseError(
            f"there are no credentials for {what} in BigQuery; run: gcloud auth application-default login"
        ) from error
    except GoogleAuthError as error:
        raise WarehouseError(
            f"the credentials for {what} in BigQuery do not work ({_in_one_line(error)}); "
            "is there a network? Or run: gcloud auth application-default login"
        ) from error
    except (RetryError, NoConnectionError) as error:
        raise WarehouseError(
            f"BigQuery cannot be reached for {what}; is there a network? ({_in_one_line(error)})"
        ) from error


def _in_one_line(error: object) -> str:
    return " ".join(str(error).split())


@contextmanager
def _joined(paths: Sequence[str]) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as whole:
        for path in paths:
            with Path(path).open("rb") as file:
                shutil.copyfileobj(file, whole)
        yield whole


def _other_columns(wanted: list[Field], found: list[Field], inside: str = "") -> Iterator[str]:
    there = {field["name"]: field for field in found}
    for field in wanted:
        name, column = f"{inside}{field['name']}", there.pop(field["name"], None)
        if column is None:
            yield f"column {name} is missing"
            continue
        if (kind := _type(column)) != field["type"]:
            yield f"column {name} is {kind}, not {field['type']}"
        elif kind == "RECORD":
            yield from _other_columns(field["fields"], column.get("fields", []), f"{name}.")
        if (mode := column.get("mode") or "NULLABLE") != field["mode"]:
            yield f"column {name} is {mode}, not {field['mode']}"
    for name, column in there.items():
        if column.get("mode") == "REQUIRED":
            yield f"column {inside}{name} is REQUIRED, and this version does not know it"


def _type(column: Field) -> str:
    kind: str = column["type"].upper()
    return _SYNONYMS.get(kind, kind)


def _other_layout(wanted: Field, found: Field) -> Iterator[str]:
    for what, of in (("partitioned", _partitions), ("clustered", _clusters)):
        if of(wanted) != of(found):
            yield f"it is {what} by {of(found)}, not by {of(wanted)}"


def _partitions(layout: Field) -> str:
    by = layout.get("timePartitioning")
    return f"{by.get('type')} of {by.get('field', 'ingestion time')}" if by else "nothing"


def _clusters(layout: Field) -> str:
    return ", ".join(layout.get("clustering", {}).get("fields", ())) or "nothing"
