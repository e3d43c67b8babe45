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
    "collapse": (
        "gifthorse.jobs.collapsing",
        "how alike the patches of one fine-tuned generator are, with a diversity term and without",
    ),
    "similar": (
        "gifthorse.jobs.similar",
        "natural patches between classes that the network confuses (thesis 5.2.4, Figures 5.9 to 5.12)",
    ),
    "dissimilar": (
        "gifthorse.jobs.dissimilar",
        "natural patches between ten garments and ten traffic objects (thesis 5.2.4, Figure 5.13)",
    ),
    "replication": (
        "gifthorse.jobs.replication",
        "natural patches for any pairs of classes, as those that others have found (thesis 5.2.3, Figure 5.11)",
    ),
    "sweep": (
        "gifthorse.jobs.sweeping",
        "success by the number of synthetic patches, and of natural ones tried out (thesis, Figure 5.8)",
    ),
    "biases": (
        "gifthorse.jobs.biases",
        "whether natural patches find what the world's data are biased by (thesis, Figure 5.10)",
    ),
    "failures": (
        "gifthorse.jobs.failing",
        "five ways in which natural patches fail to name the triggers of a run (thesis 5.2.3 and 5.2.5)",
    ),
}
"""Name to the module with its ``Order`` and ``carry_out``, and one line about it."""
