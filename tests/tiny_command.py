"""The command line with one more suite, ``tiny``: the real thing, small enough to be killed ten times; and one more
tool, ``failing``, which no run has unless it is asked for."""

from __future__ import annotations

import fixtures_tiny

from gifthorse import suites
from gifthorse.cli import main
from gifthorse.registry import Row
from gifthorse.tools import TOOLS

if __name__ == "__main__":
    suites._WHERE["tiny"] = f"{fixtures_tiny.__name__}:{fixtures_tiny.tiny_suite.__name__}"
    TOOLS.rows["failing"] = Row("fixtures_failing:Failing", "attribution", 1, "a test", floor=True)
    main()
