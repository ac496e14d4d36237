"""What is loaded when it is used is the same as what is loaded at once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

_ARROWS = """
import inspect, json, sys
from pipelines.lazily import arrows_functions_when_used
if sys.argv[1] == "when used":
    arrows_functions_when_used()
import pyarrow as pa, pyarrow.compute as pc
there = len(vars(pc))
import pyarrow.dataset
from pyarrow.compute import sum as total, and_
names = {name for registered in pc.list_functions() for name in (registered, f"{registered}_") if hasattr(pc, name)}
print(json.dumps({
    "there": there,
    "answers": [total(pa.chunked_array([[1, 2]])).as_py(), len(pa.array([1]).unique()), and_(True, False).as_py()],
    "functions": {name: [str(inspect.signature(getattr(pc, name))), getattr(pc, name).__doc__] for name in names},
    "nothing": hasattr(pc, "no_function"),
}))
"""


def printed_by(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def told(*arguments: str) -> Any:
    return json.loads(printed_by(_ARROWS, *arguments))


def test_arrows_functions_are_the_same_and_few_until_they_are_used() -> None:
    at_once, when_used = told("at once"), told("when used")
    assert at_once.pop("there") > when_used.pop("there") + 200
    assert at_once == when_used
    assert at_once["answers"][0] == 3


def test_what_is_loaded_when_it_is_used_works_then() -> None:
    code = (
        "import sys\n"
        "from pipelines.lazily import when_used\n"
        "with when_used('email.message', 'no_module'):\n"
        "    import email.message\n"
        "    try:\n        import no_module\n    except ImportError:\n        print('none')\n"
        "print(type(sys.modules['email.message']).__name__, len(sys.meta_path))\n"
        "print(email.message.Message().as_string() == chr(10), type(email.message).__name__)\n"
        "print(len([one for one in sys.meta_path if 'lazily' in type(one).__module__]))"
    )
    printed = printed_by(code)
    none, first, then, left = printed.splitlines()
    assert (none, first.split()[0], then, left) == ("none", "_LazyModule", "True module", "0")


def test_one_answer_is_found_without_certificates_and_what_reads_mail() -> None:
    code = (
        "import sys\n"
        "from pipelines.lazily import for_one_answer, version_of\n"
        "for_one_answer()\n"
        "import duckdb, pyarrow.dataset, pyarrow.fs\n"
        "print(*(name in sys.modules for name in ('ssl', 'importlib.metadata', 'email')))\n"
        "import ssl, importlib.metadata as metadata\n"
        "print(bool(ssl.create_default_context()), duckdb.__version__ == metadata.version('duckdb'))\n"
        "print(all(version_of(name) == metadata.version(name) for name in ('sqlglot', 'polars', 'heavy-rotation')))\n"
        "try:\n    version_of('no-package')\nexcept metadata.PackageNotFoundError:\n    print('none')"
    )
    printed = printed_by(code)
    assert printed.splitlines() == ["False False False", "True True", "True", "none"]


def test_arrow_reads_a_folder_without_what_that_does_not_need(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pipelines.lean import without_arrows_extras\n"
        "without_arrows_extras()\n"
        "import pyarrow as pa, pyarrow.dataset as dataset\n"
        "dataset.write_dataset(pa.table({'at': [1, 2]}), sys.argv[1], format='parquet')\n"
        "print(dataset.dataset(sys.argv[1]).to_table(filter=dataset.field('at') > 1).to_pylist())\n"
        "print([name for name in ('numpy', 'pyarrow._azurefs', 'pyarrow._s3fs') if sys.modules.get(name)])"
    )
    assert printed_by(code, str(tmp_path / "folder")).splitlines() == ["[{'at': 2}]", "[]"]


def test_a_library_that_needs_more_than_a_stand_in_has_is_loaded_as_ever(tmp_path: Path) -> None:
    (tmp_path / "duckdb.py").write_text("__path__ = [__file__[:-3]]\n")
    (tmp_path / "duckdb").mkdir()
    (tmp_path / "duckdb" / "_version.py").write_text(
        "from importlib.metadata import requires\nneeds = requires('pytest')\n"
    )
    code = (
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "from pipelines.lazily import for_one_answer\n"
        "for_one_answer()\n"
        "import duckdb._version\n"
        "print(len(duckdb._version.needs) > 0, 'importlib.metadata' in sys.modules)\n"
    )
    printed = printed_by(code)
    assert printed == "True True\n"
