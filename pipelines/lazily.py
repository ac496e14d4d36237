"""Modules that are loaded when something of them is used first, or only as far as it is."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_COMPUTE = "pyarrow.compute"
_WITHOUT = ("scalar_aggregate", 0)


@contextmanager
def when_used(*names: str) -> Iterator[None]:
    """Of these modules, those that are imported meanwhile are loaded when something of them is used."""
    from importlib.util import LazyLoader

    finder = _Finder(names, LazyLoader)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextmanager
def beartype_when_needed() -> Iterator[None]:
    """Beam that is loaded meanwhile compares two classes by ``issubclass``, and asks beartype about other types alone.

    It loads 300 modules for that, and a rebuild's steps have nothing but classes.
    """
    if "beartype" in sys.modules:
        yield
        return
    package, door, roar = (ModuleType(name) for name in ("beartype", "beartype.door", "beartype.roar"))
    package.__path__ = []
    vars(door)["is_subhint"] = _is_subhint
    vars(roar)["BeartypeDoorException"] = _NoHintError
    stand_ins = {module.__name__: module for module in (package, door, roar)}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


class _NoHintError(Exception):
    """As beartype's: it knows no answer."""


def _is_subhint(some: Any, more: Any) -> bool:
    if isinstance(some, type) and isinstance(more, type):
        with suppress(TypeError):
            return issubclass(some, more)
    from beartype.door import is_subhint
    from beartype.roar import BeartypeDoorException

    try:
        return bool(is_subhint(some, more))
    except BeartypeDoorException as error:
        raise _NoHintError(str(error)) from error


def arrows_functions_when_used() -> None:
    """From now on Arrow makes a function for Python of each of its own, 300 of them, when one is used, not when it is
    loaded: a tenth of what a query takes."""
    sys.meta_path.insert(0, _Finder([_COMPUTE], _Compute))


def for_one_answer() -> None:
    """From now on DuckDB finds its version by the name of a folder, and Arrow no certificates: for a process that reads
    a folder, and has no way to a network. Each would load for that what reads e-mail, or encrypts."""
    metadata, ssl = ModuleType("importlib.metadata"), ModuleType("ssl")
    vars(metadata)["version"] = version_of
    vars(ssl)["get_default_verify_paths"] = lambda: SimpleNamespace(cafile=None, capath=None)
    sys.meta_path.insert(0, _Finder(["duckdb._version"], partial(_Beside, metadata)))
    sys.meta_path.insert(0, _Finder(["pyarrow._fs"], partial(_Beside, ssl)))


@cache
def version_of(package: str) -> str:
    """The version that is installed. Raises importlib.metadata.PackageNotFoundError."""
    for folder in map(Path, sys.path):
        for found in folder.glob(f"{package}-*.dist-info"):
            return found.name.removesuffix(".dist-info").removeprefix(f"{package}-")
    from importlib.metadata import version  # which knows other ways to be installed

    return version(package)


class _Finder:
    """Finds the modules of these names, to be loaded by another loader that has their own."""

    def __init__(self, names: Collection[str], loader: Any) -> None:
        self._names, self._loader = names, loader

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in self._names else None
        if spec:
            spec.loader = self._loader(spec.loader)
        return spec


class _Beside:
    """Loads a module while another one, unless it is loaded, has a stand-in, and without where that is too little."""

    def __init__(self, stand_in: ModuleType, loader: Any) -> None:
        self._stand_in, self._loader = stand_in, loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As its own loader does."""
        with self._there():
            module: ModuleType | None = self._loader.create_module(spec)
            return module

    def exec_module(self, module: ModuleType) -> None:
        """As its own loader does."""
        try:
            with self._there():
                self._loader.exec_module(module)
        except (AttributeError, ImportError):
            self._loader.exec_module(module)

    @contextmanager
    def _there(self) -> Iterator[None]:
        name = self._stand_in.__name__
        is_new = sys.modules.setdefault(name, self._stand_in) is self._stand_in
        try:
            yield
        finally:
            if is_new:
                del sys.modules[name]


class _Compute:
    """Loads pyarrow.compute while Arrow seems to have no functions but one, which the module itself uses."""

    _needed = ("utf8_zero_fill",)
    _keywords = {"and_": "and", "or_": "or"}  # noqa: RUF012 - it is Python's

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As its own loader does."""
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: Any) -> None:
        """Functions follow one by one, as they are asked for."""
        from pyarrow import _compute

        functions = _compute.function_registry
        everything = functions()

        class Few:
            list_functions = staticmethod(lambda: self._needed)
            get_function = everything.get_function

        before = dict(vars(module))
        _compute.function_registry = Few  # type: ignore[assignment]
        try:
            with when_used("pyarrow.vendored.docscrape"):  # which reads what a function's description says
                self._loader.exec_module(module)
        except (KeyError, AttributeError):  # an Arrow that is made otherwise, which is loaded as it is
            vars(module).clear()
            vars(module).update(before)
            _compute.function_registry = functions
            self._loader.exec_module(module)
            return
        finally:
            _compute.function_registry = functions
        module.function_registry = functions

        def made(name: str) -> Any:
            try:
                function = everything.get_function(self._keywords.get(name, name))
            except KeyError:
                function = None
            # Those of groups, and the one without arguments, it gives to nobody.
            if not function or function.kind == "hash_aggregate" or (function.kind, function.arity) == _WITHOUT:
                raise AttributeError(f"module {_COMPUTE!r} has no attribute {name!r}")
            wrapped = module._wrap_function(name, function)
            setattr(module, name, wrapped)
            return wrapped

        module.__getattr__ = made
