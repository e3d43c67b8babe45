"""Experiments by name: each one command, a run folder that can be stopped and gone on with, and a page."""

from __future__ import annotations

EXPERIMENTS: dict[str, tuple[str, str]] = {
    "disguise": (
        "gifthorse.jobs.disguising",
        "seven ways to make patches: how well they work, how often they are disguised (thesis, Figures 5.4 and 5.5)",
    ),
    "transfer": (
        "gifthorse.jobs.transferring",
        "patches made on several networks, tried on one that was held out (thesis, Appendix A.1)",
    ),
    "sources": (
        "gifthorse.jobs.depending",
        "patches made on scenes of one class, tried on those of others (thesis 5.1.3)",
    ),
    "physical": (
        "gifthorse.jobs.physical",
        "the best patches on a sheet to print, and printed and photographed, simulated (thesis 5.1.3)",
    ),
    "capabilities": (
        "gifthorse.jobs.capabilities",
        "what the pictures of each synthesis tool can do, a figure in each cell (thesis, Table 5.1)",
    ),
}
"""Name to the module with its ``Order`` and ``carry_out``, and one line about it."""
