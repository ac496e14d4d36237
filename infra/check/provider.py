"""Stand-ins for the providers ``google`` and ``google-beta``, so that Terraform works where no provider can be fetched.

They speak Terraform's plugin protocol, version 6, and know the providers' real schemas and nothing of Google Cloud.
What is applied is taken as it was planned, with something of the right kind for what only Google would know.
Terraform connects to providers that run already when TF_REATTACH_PROVIDERS names their addresses, and then
downloads none. So it is Terraform itself that judges every argument, reference, expression and validation, and it can
make a plan: what only Google would know is "known after apply" in it.
"""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import msgpack
from schemas import Block, UnknownTypeError, schema
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

PROVIDERS = ("google", "google-beta")
_UNKNOWN = msgpack.ExtType(0, b"\x00")
# The provider reads these of a job from its options by their names in Java, and a job that Python made has none of
# those names: ``max_num_workers`` is not ``maxNumWorkers``. So it believes them to be gone (google-beta,
# resource_dataflow_flex_template_job.go, resourceDataflowFlexTemplateJobRead).
_LOST_WHEN_READ = (
    "machine_type", "max_workers", "network", "num_workers", "sdk_container_image", "staging_location", "subnetwork",
    "temp_location",
)  # fmt: skip
_DECLARED = re.compile(
    r'^(?P<kind>resource|data)\s+"(?P<type>google_\w+)"\s+"\w+"\s*{\n(\s*#.*\n)*(\s*provider\s*=\s*(?P<provider>[\w-]+))?',
    re.MULTILINE,
)


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Run both for the Terraform files of a folder; gives the environment variable that leads Terraform to them."""
    declared: dict[str, set[tuple[str, str]]] = {name: set() for name in PROVIDERS}
    for path in folder.glob("*.tf"):
        for found in _DECLARED.finditer(path.read_text()):
            declared.setdefault(found["provider"] or "google", set()).add((found["kind"], found["type"]))
    with ExitStack() as stack:
        addresses = {name: stack.enter_context(_serving(name, declared[name])) for name in PROVIDERS}
        yield {
            "TF_REATTACH_PROVIDERS": json.dumps(
                {
                    f"registry.terraform.io/hashicorp/{name}": {
                        "Protocol": "grpc",
                        "ProtocolVersion": 6,
                        "Pid": os.getpid(),
                        "Test": True,
                        "Addr": {"Network": "tcp", "String": address},
                    }
                    for name, address in addresses.items()
                }
            )
        }


@contextmanager
def _serving(name: str, declared: set[tuple[str, str]]) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(), options=[("grpc.max_receive_message_length", -1)])
    rpc.add_ProviderServicer_to_server(_Provider(name, declared), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


class _Provider(rpc.ProviderServicer):  # type: ignore[misc]
    """What validating, planning and a pretended apply ask for."""

    def __init__(self, name: str, declared: set[tuple[str, str]]) -> None:
        self._provider = schema(name, "provider")
        self._resources: dict[str, Block] = {}
        self._data: dict[str, Block] = {}
        for kind, type_name in declared:
            try:
                if kind == "resource":
                    self._resources[type_name] = schema(name, type_name)
                else:
                    self._data[type_name] = schema(name, f"data_{type_name}")
            except UnknownTypeError:
                pass  # Terraform says so, with the line, if it is this provider that it asks for it.

    def GetProviderSchema(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return pb.GetProviderSchema.Response(
            provider=_schema(self._provider, is_configuration=True),
            resource_schemas={name: _schema(block) for name, block in self._resources.items()},
            data_source_schemas={name: _schema(block) for name, block in self._data.items()},
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return pb.ConfigureProvider.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return pb.StopProvider.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        found = _impossible(self._resources[request.type_name], _read(request.config), ())
        return pb.ValidateResourceConfig.Response(diagnostics=found)

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return pb.ValidateDataResourceConfig.Response()

    def PlanResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        block, planned = self._resources[request.type_name], _read(request.proposed_new_state)
        if planned != _read(request.prior_state):
            planned = _with_unknown(block, planned)
        return pb.PlanResourceChange.Response(planned_state=_write(planned))

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        planned = _read(request.planned_state)
        return pb.ApplyResourceChange.Response(new_state=_write(_known(self._resources[request.type_name], planned)))

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return pb.UpgradeResourceState.Response(upgraded_state=_write(json.loads(request.raw_state.json)))

    def ReadResource(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        state = _read(request.current_state)
        if request.type_name == "google_dataflow_flex_template_job":
            state |= dict.fromkeys(_LOST_WHEN_READ)
        return pb.ReadResource.Response(new_state=_write(state))

    def ReadDataSource(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        block, state = self._data[request.type_name], _read(request.config)
        # Something of the right kind: what it is does not matter to a plan.
        made_up = {name: name for name, attribute in block.attributes.items() if attribute.type == "string"}
        return pb.ReadDataSource.Response(state=_write(state | {k: v for k, v in made_up.items() if state[k] is None}))


def _schema(block: Block, *, is_configuration: bool = False) -> Any:
    return pb.Schema(block=_block(block, is_configuration=is_configuration, is_top=True))


def _block(block: Block, *, is_configuration: bool = False, is_top: bool = False) -> Any:
    return pb.Schema.Block(
        attributes=[
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(attribute.type).encode(),
                required=attribute.required,
                optional=not attribute.required and not attribute.computed,
                # The package does not say which of the optional ones the provider fills in, if nobody does.
                computed=not attribute.required and not is_configuration and (attribute.computed or is_top),
            )
            for name, attribute in block.attributes.items()
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=_block(nested, is_configuration=is_configuration),
                nesting=pb.Schema.NestedBlock.LIST,
                min_items=1 if nested.required else 0,
                max_items=0 if nested.many else 1,
            )
            for name, nested in block.blocks.items()
        ],
    )


def _with_unknown(block: Block, planned: dict[str, Any] | None) -> dict[str, Any] | None:
    """The planned state, where the provider's own attributes become known later. None is a resource that goes."""
    if planned is None:
        return None
    later = {name for name, attribute in block.attributes.items() if attribute.computed} | {"id"} & planned.keys()
    return planned | {name: _UNKNOWN for name in later if planned[name] is None}


def _known(block: Block, planned: dict[str, Any] | None) -> dict[str, Any] | None:
    """The state after an apply: something of its type for each value that was unknown."""
    if planned is None:
        return None
    kinds = {name: attribute.type for name, attribute in block.attributes.items()} | {"id": "string"}
    return {name: _made_up(kinds[name]) if value == _UNKNOWN else value for name, value in planned.items()}


def _made_up(kind: Any) -> Any:
    if isinstance(kind, list):
        return {} if kind[0] == "map" else []
    return {"string": "made-up", "number": 0, "bool": False}.get(kind)


def _impossible(block: Block, values: dict[str, Any], path: tuple[str | int, ...]) -> list[Any]:
    """A diagnostic for each argument whose value is none of those that the provider's documentation lists."""
    found = []
    for name, attribute in block.attributes.items():
        value = values.get(name)
        if attribute.possible and isinstance(value, str) and value not in attribute.possible:
            listed = ", ".join(attribute.possible)
            found.append(_diagnostic(f'"{value}" is not one of {listed}', (*path, name)))
    for name, nested in block.blocks.items():
        if isinstance(inner := values.get(name), list):
            for number, item in enumerate(inner):
                if isinstance(item, dict):
                    found += _impossible(nested, item, (*path, name, number))
    return found


def _diagnostic(text: str, path: tuple[str | int, ...]) -> Any:
    steps = [{"element_key_int": step} if isinstance(step, int) else {"attribute_name": step} for step in path]
    return pb.Diagnostic(
        severity=pb.Diagnostic.ERROR, summary="Impossible value", detail=text, attribute=pb.AttributePath(steps=steps)
    )


def _read(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack) if value.msgpack else json.loads(value.json)


def _write(value: Any) -> Any:
    return pb.DynamicValue(msgpack=msgpack.packb(value))
