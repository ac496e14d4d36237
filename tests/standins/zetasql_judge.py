"""Google's own analyser and reference executor for BigQuery's SQL (ZetaSQL), as a judge of ours.

It comes as WebAssembly. Compiling that takes half a minute of CPU, so the outcome is kept in ``.tools``; with it the
judge is there in a second. ``the_judge`` keeps one.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from wasmtime import Config
from zetasql.api import CatalogBuilder, TableBuilder
from zetasql.api.type_factory import TypeFactory
from zetasql.core import wasm_client
from zetasql.core.exceptions import ServerError
from zetasql.core.local_service import ZetaSqlLocalService
from zetasql.types import (
    AnalyzerOptions,
    ErrorMessageMode,
    LanguageOptions,
    Type,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.public.value_pb2 import ValueProto

from pipelines.querying.parameters import Value, kinds_of
from pipelines.tables import DATASET, VIEWS, Field, table_schema, view_sql

Row = dict[str, Any]
_EPOCH = date(1970, 1, 1)
_CACHE = Path(__file__).parents[2] / ".tools" / "wasmtime"
_KINDS = {
    "STRING": TypeKind.TYPE_STRING,
    "INTEGER": TypeKind.TYPE_INT64,
    "INT64": TypeKind.TYPE_INT64,
    "BOOLEAN": TypeKind.TYPE_BOOL,
    "FLOAT": TypeKind.TYPE_DOUBLE,
    "BYTES": TypeKind.TYPE_BYTES,
    "DATE": TypeKind.TYPE_DATE,
    "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
    "DATETIME": TypeKind.TYPE_DATETIME,
}


class Refused(Exception):  # noqa: N818
    """ZetaSQL does not accept the query, or fails to run it."""


class _CachedConfig(Config):
    """The engine's settings, which the package offers no way to give."""

    def __init__(self) -> None:
        super().__init__()
        _CACHE.mkdir(parents=True, exist_ok=True)
        settings = _CACHE / "config.toml"
        settings.write_text(f'[cache]\ndirectory = "{_CACHE / "modules"}"\n')
        self.cache = str(settings)


wasm_client.Config = _CachedConfig


class Judge:
    """The tables and views of the dataset, with rows, and queries on them."""

    def __init__(self) -> None:
        language = LanguageOptions.maximum_features()
        self._options = AnalyzerOptions(
            language_options=language,
            default_timezone="UTC",
            error_message_mode=ErrorMessageMode.ERROR_MESSAGE_ONE_LINE,  # with [at 1:8]
        ).to_proto()
        self._functions = ZetaSQLBuiltinFunctionOptions(language_options=language)
        self._service = ZetaSqlLocalService.get_instance()
        self._types: dict[str, list[tuple[str, Type]]] = {}
        self._contents: dict[str, list[list[ValueProto]]] = {}

    def fill(self, **rows: Iterable[Row]) -> None:
        """Replace all rows. Tables that are given none, and views over them, are not there at all.

        (ZetaSQL takes a table without rows for one whose rows are missing.) A view is made once a query names it.
        """
        self._types, self._contents = {}, {}
        for table in rows:
            self._types[table] = [(field["name"], _type(field)) for field in table_schema(table)]
            self._contents[table] = [
                [_to_value(row[name], kind) for name, kind in self._types[table]] for row in rows[table]
            ]

    def query(self, sql: str, **parameters: Value) -> list[tuple[Any, ...]]:
        """The rows of a query as Python's values, structs as dicts. Raises Refused."""
        columns, rows = self._run(sql, **parameters)
        return [tuple(_from_value(cell, kind) for cell, (_, kind) in zip(row, columns, strict=True)) for row in rows]

    def columns(self, sql: str, **parameters: Value) -> list[str]:
        """The names of a query's columns. Raises Refused."""
        return [name for name, _ in self._run(sql, **parameters)[0]]

    def _make_views(self, sql: str) -> None:
        for view in VIEWS:
            if view not in self._types and re.search(rf"\b{view}\b", sql):
                with suppress(Refused):  # over a table that is not there
                    columns, cells = self._run(view_sql(view))
                    self._types[view], self._contents[view] = columns, cells

    def _run(self, sql: str, **parameters: Value) -> tuple[list[tuple[str, Any]], list[list[ValueProto]]]:
        self._make_views(sql)
        builder = CatalogBuilder("project").with_builtin_functions(self._functions)
        for name, columns in self._types.items():
            table = TableBuilder(name)
            for column, kind in columns:
                table.add_column(column, kind)
            builder.add_table(table.build())
        request = service.PrepareQueryRequest(
            # Only tables at the top of a catalog can have rows here.
            sql=sql.replace(f"{DATASET}.", ""),
            options=self._options_for(parameters),
            simple_catalog=builder.build().to_proto(),
        )
        for name, rows in self._contents.items():
            data = request.table_content[name].table_data
            for row in rows:
                data.row.add().cell.extend(row)
        try:
            # Not through the package's own models of messages: they lose timestamps.
            prepared = self._call("PrepareQuery", request, service.PrepareQueryResponse).prepared
            query = service.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id)
            for name, value in parameters.items():
                query.params.add(name=name, value=_to_value(value, _type_of(value)))
            answer = self._call("EvaluateQuery", query, service.EvaluateQueryResponse)
        except ServerError as error:
            raise Refused(str(error)) from None
        columns = [(column.name, Type.from_proto(column.type)) for column in prepared.columns]
        return columns, [list(row.cell) for row in answer.content.table_data.row]

    def _options_for(self, parameters: dict[str, Value]) -> Any:
        options = type(self._options)()
        options.CopyFrom(self._options)
        for name, value in parameters.items():
            options.query_parameters.add(name=name, type=_type_of(value).to_proto())
        return options

    def _call(self, method: str, request: Any, response: Any) -> Any:
        return self._service.wasm_client.call_grpc_func(f"ZetaSqlLocalService_{method}", request, response)


def _type(field: Field) -> Type:
    if field["type"] != "RECORD":
        return TypeFactory.create_simple_type(_KINDS[field["type"]])
    fields = [(inner["name"], _type(inner)) for inner in field["fields"]]
    return TypeFactory.create_array_type(TypeFactory.create_struct_type(fields))


def _type_of(parameter: Value) -> Type:
    kind = kinds_of({"": parameter})[""]
    if kind.startswith("ARRAY<"):
        return TypeFactory.create_array_type(TypeFactory.create_simple_type(_KINDS[kind[len("ARRAY<") : -1]]))
    return TypeFactory.create_simple_type(_KINDS[kind])


def _to_value(value: Any, kind: Type) -> ValueProto:
    cell = ValueProto()
    if value is None:
        return cell
    match kind.type_kind:
        case TypeKind.TYPE_STRING:
            cell.string_value = value
        case TypeKind.TYPE_INT64:
            cell.int64_value = value
        case TypeKind.TYPE_BOOL:
            cell.bool_value = value
        case TypeKind.TYPE_DOUBLE:
            cell.double_value = value
        case TypeKind.TYPE_BYTES:
            cell.bytes_value = value
        case TypeKind.TYPE_DATE:
            cell.date_value = (value - _EPOCH).days
        case TypeKind.TYPE_TIMESTAMP:
            cell.timestamp_value.FromDatetime(value)
        case TypeKind.TYPE_DATETIME:
            cell.datetime_value.bit_field_datetime_seconds = _packed(value)
            cell.datetime_value.nanos = value.microsecond * 1000
        case TypeKind.TYPE_ARRAY:
            element = kind.array_type.element_type
            cell.array_value.SetInParent()
            cell.array_value.element.extend(_to_value(item, element) for item in value)
        case TypeKind.TYPE_STRUCT:
            for field in kind.struct_type.field:
                cell.struct_value.field.append(_to_value(value[field.field_name], field.field_type))
    return cell


def _from_value(cell: ValueProto, kind: Type) -> Any:
    set_field = cell.WhichOneof("value")
    if set_field is None:
        return None
    match kind.type_kind:
        case TypeKind.TYPE_DATE:
            return _EPOCH + timedelta(days=cell.date_value)
        case TypeKind.TYPE_TIMESTAMP:
            return cell.timestamp_value.ToDatetime(UTC)
        case TypeKind.TYPE_DATETIME:
            return _unpacked(cell.datetime_value.bit_field_datetime_seconds, cell.datetime_value.nanos)
        case TypeKind.TYPE_ARRAY:
            element = kind.array_type.element_type
            return [_from_value(item, element) for item in cell.array_value.element]
        case TypeKind.TYPE_STRUCT:
            pairs = zip(kind.struct_type.field, cell.struct_value.field, strict=True)
            return {field.field_name: _from_value(item, field.field_type) for field, item in pairs}
    return getattr(cell, set_field)


def _packed(value: datetime) -> int:
    """ZetaSQL's form: second, minute, hour, day and month in 6, 6, 5, 5 and 4 bits, and the year above."""
    bits = 0
    for part, width in zip(value.timetuple()[:6], (0, 4, 5, 5, 6, 6), strict=True):
        bits = bits << width | part
    return bits


def _unpacked(bits: int, nanos: int) -> datetime:
    parts = []
    for width in (6, 6, 5, 5, 4):
        parts.append(bits & (1 << width) - 1)
        bits >>= width
    return datetime(bits, *reversed(parts), nanos // 1000)  # noqa: DTZ001


@cache
def the_judge() -> Judge:
    """The one judge of this process."""
    return Judge()
