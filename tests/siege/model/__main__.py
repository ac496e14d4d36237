"""``python -m tests.siege.model``: check every model and mutation; MODEL MUTATION prints the trace of one."""

import sys

from tests.siege.model import MODELS, check, missing_tools, mutations, trace


def main(arguments: list[str]) -> int:
    """0 where each promise holds, and breaks under each mutation."""
    if missing := missing_tools():
        print(f"install {' and '.join(missing)} first: the model is NOT checked", file=sys.stderr)
        return 1
    if arguments:
        print("\n".join(trace(*arguments)))
        return 0
    failures = 0
    for model in MODELS:
        for mutation in (None, *mutations(model)):
            found = check(model, mutation)
            failures += bool(found.broken) is not bool(mutation)
            print(f"{model:12}{mutation or '':32}{found.states:>10,} states  {found.broken or 'all promises hold'}")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
