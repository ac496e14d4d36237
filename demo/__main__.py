"""``make demo``: the main job on this machine, from a (look-alike) Spotify to the month's top ten."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from demo.show import Demonstration, DemonstrationError
from producer.importing.finding import downloads_like

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, and run it. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Shows the whole of Heavy Rotation on this machine in about a minute; no account is needed. "
        "A look-alike of Spotify plays the part of the real one.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="PATH",
        help="your own Spotify export (a zip, a folder or a file) as the past, instead of an invented year",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("demo-data"),
        help="where to work; in place of an earlier one (default: demo-data)",
    )
    parser.add_argument("--seconds", type=int, default=20, help="how long the live part runs, in seconds (default: 20)")
    options = parser.parse_args(argv)
    if options.export:
        options.export = options.export.expanduser()  # not every shell does it behind EXPORT=
    if options.export and not options.export.exists():
        downloaded = downloads_like(options.export)
        parser.error(f"there is no {options.export}" + (f"; did you mean {downloaded}?" if downloaded else ""))
    console = Console(highlight=False)
    try:
        Demonstration(console, options.folder, options.export, options.seconds).run()
    except DemonstrationError as error:
        console.print(f"[red]demo:[/] {error}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; everything that was started has ended.")
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
