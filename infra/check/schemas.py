"""The providers' schemas, read from the source of the Python packages that are generated from them.

``cdktf-cdktf-provider-google`` 16.12.1 is made from version 6.50.0 of the provider ``google``. A module stands
for each resource and data source; in it a class ``...Config`` for the resource and one for each nested block have
an ``__init__`` whose keywords are the arguments: those without a default are required, annotations tell types, and
the docstring has the argument's name in Terraform, says "NAME block" of blocks, and lists values that are possible.
What the resource gives back, and nobody sets, is a property of its main class.

What the packages no longer know, and this cannot check: whether a list is a set, how often a block may come at most,
arguments that exclude each other.
"""

import ast
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_PACKAGES = {"google": "cdktf_cdktf_provider_google", "google-beta": "cdktf_cdktf_provider_google_beta"}
_PARAMETER = re.compile(r"^\s*:param (\w+): ?(.*?)(?=^\s*:param |\Z)", re.MULTILINE | re.DOTALL)
_REGISTRY_NAME = re.compile(r"registry\.terraform\.io/\S+#(\w+) ")
_POSSIBLE = re.compile(r'Possible values: \[((?:"[^"]*"(?:, )?)+)\]')
_SIMPLE = {"str": "string", "Number": "number", "bool": "bool"}

Type = Any  # As Terraform writes types in JSON: "string", ["list", "string"], ["map", "string"], "dynamic".


@dataclass(frozen=True, slots=True)
class Attribute:
    """An argument, or with ``computed`` something that only the provider sets."""

    type: Type
    required: bool = False
    computed: bool = False
    possible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Attributes and blocks by name. ``required`` and ``many`` say how often the block itself may come."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: dict[str, "Block"] = field(default_factory=dict)
    required: bool = False
    many: bool = False


class UnknownTypeError(Exception):
    """The provider has no such resource or data source."""


@cache
def schema(provider: str, name: str) -> Block:
    """Of a resource, ``google_pubsub_topic``; a data source, ``data_google_project``; or of the ``provider`` itself.

    Raises UnknownTypeError.
    """
    # Resources have lost their google_ in the package for google, and kept it in that for google-beta.
    paths = [_package(provider) / module / "__init__.py" for module in (name.removeprefix("google_"), name)]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise UnknownTypeError(name)
    classes = {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}
    main = next(node for node in classes.values() if any("Terraform" in ast.unparse(base) for base in node.bases))
    found = _block(classes, classes[f"{main.name}Config"])
    known = found.attributes.keys() | found.blocks.keys()
    computed = {name: kind for name, kind in _properties(main) if name not in known}
    found.attributes.update({name: Attribute(kind, computed=True) for name, kind in computed.items()})
    return found


def version(provider: str) -> str:
    """The version of the provider that the package is made from."""
    source = (_package(provider) / "provider" / "__init__.py").read_text()
    return re.search(r"providers/hashicorp/[\w-]+/([\d.]+)/docs", source)[1]  # type: ignore[index]


def _package(provider: str) -> Path:
    found = find_spec(_PACKAGES[provider])
    if not found or not found.submodule_search_locations:
        raise SystemExit(f"{_PACKAGES[provider]} is not installed; make infra-check does it")
    return Path(found.submodule_search_locations[0])


def _block(
    classes: dict[str, ast.ClassDef], node: ast.ClassDef, *, required: bool = False, many: bool = False
) -> Block:
    found = Block(required=required, many=many)
    init = next(item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__")
    texts = {name: " ".join(text.split()) for name, text in _PARAMETER.findall(ast.get_docstring(init) or "")}
    for parameter, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        text = texts.get(parameter.arg, "")
        if not (names := _REGISTRY_NAME.search(text)):
            continue  # Terraform's own: count, depends_on, lifecycle ...
        name, annotation = names[1], parameter.annotation
        assert annotation is not None
        struct = next((part for part in _names(annotation) if part in classes), None)
        if struct and text.startswith(f"{name} block."):
            is_list = any(part == "Sequence" for part in _names(annotation))
            found.blocks[name] = _block(classes, classes[struct], required=default is None, many=is_list)
        else:
            possible = tuple(re.findall(r'"([^"]*)"', match[1])) if (match := _POSSIBLE.search(text)) else ()
            found.attributes[name] = Attribute(_type(annotation), default is None, possible=possible)
    return found


def _names(annotation: ast.expr) -> list[Any]:
    """Every name in an annotation, those in quotation marks too."""
    return [
        node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else node.value
        for node in ast.walk(annotation)
        if isinstance(node, ast.Attribute | ast.Name | ast.Constant)
    ]


def _type(annotation: ast.expr) -> Type:
    if isinstance(annotation, ast.Subscript):
        outer = annotation.value.attr if isinstance(annotation.value, ast.Attribute) else ""
        inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if outer in ("Sequence", "List"):
            return ["list", _type(inner[0])]
        if outer == "Mapping":
            return ["map", _type(inner[-1])]
        return _type(inner[0])  # Optional, or a Union with IResolvable
    name = annotation.attr if isinstance(annotation, ast.Attribute) else ""
    return {"StringMap": ["map", "string"], "IResolvable": "bool"}.get(name) or _SIMPLE.get(name, "dynamic")


def _properties(node: ast.ClassDef) -> list[tuple[str, Type]]:
    """What a resource's main class can be asked for, less the echoes of its arguments."""
    return [
        (item.name, _type(item.returns))
        for item in node.body
        if isinstance(item, ast.FunctionDef)
        and item.returns is not None
        and not item.name.endswith("_input")
        and any(ast.unparse(decorator) == "builtins.property" for decorator in item.decorator_list)
    ]
