"""The command line with one more suite, ``tiny``: the real thing, small enough to be killed ten times."""

from __future__ import annotations

import fixtures_tiny

from gifthorse import suites
from gifthorse.cli import main

if __name__ == "__main__":
    suites._WHERE["tiny"] = f"{fixtures_tiny.__name__}:{fixtures_tiny.tiny_suite.__name__}"
    main()
