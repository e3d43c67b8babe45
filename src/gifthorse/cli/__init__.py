"""The command line: parse, call a job, print where the result is."""

from gifthorse.cli.app import main

__all__ = ["main"]
