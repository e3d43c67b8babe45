"""The door: one app, its configuration layers, its exit codes, and the signals that end it.

stdout is data and stderr is talk. Exit codes are those of ``errors.EXIT_CODES``.
"""

from __future__ import annotations

import inspect
import io
import itertools
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType

from cyclopts import App
from cyclopts.config import Env
from cyclopts.exceptions import CycloptsError

import gifthorse
from gifthorse.cli import attribute, copy_paste, experiment, look, runs, synthesise
from gifthorse.cli.configuration import PREFIX, layer
from gifthorse.cli.talk import Talk, drawing, put
from gifthorse.errors import GifthorseError

EPILOGUE = """
Examples

  gifthorse run                               plant, look, judge and report on the embedded suite
  gifthorse run --tools occlusion,cppn_target --out runs/two
  gifthorse list tools                        every tool with its source
  gifthorse tables runs/emoji12-quick --json  the tidy tables
  gifthorse attribute --net emoji-resnet a.png  maps of your own images
  gifthorse synthesise --net emoji-resnet --target bee  what a class reacts to
  gifthorse copy-paste --net emoji-resnet --source bee --target fly  what pushes one class to another
"""


def app() -> App:
    """The command line with every verb."""
    made = App(
        name="gifthorse",
        version=gifthorse.__version__,
        help="Look a gift horse in the mouth: plant trojans in image classifiers, and measure which tools find them.",
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        print_error=False,
        exit_on_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    verbs = (runs.run, runs.implant, runs.diagnose, runs.evaluate, look.report, look.tables, look.status, look.compare)
    for verb in verbs:
        made.command(verb, name=verb.__name__, help_epilogue=_examples(verb))
    for own in (attribute.attribute, synthesise.synthesise, copy_paste.copy_paste):
        made.command(own, name=own.__name__.replace("_", "-"), help_epilogue=_examples(own))
    made.command(experiment.experiment, name="experiment", help_epilogue=_examples(experiment.experiment))
    made.command(look.listing, name="list", help_epilogue=_examples(look.listing))
    return made


def _examples(verb: Callable[..., None]) -> str:
    """The examples of a verb's docstring, which the parser of docstrings leaves out of its help."""
    _, _, told = (inspect.getdoc(verb) or "").partition("Examples:\n")
    lines = list(itertools.takewhile(lambda line: line.startswith("    "), told.splitlines()))
    return "\nExamples\n\n" + "\n".join(f"  {line.strip()}" for line in lines) if lines else ""


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _terminated)
    sys.excepthook = _bug
    sys.exit(code_of(tokens, Talk()))


def code_of(tokens: list[str], talk: Talk) -> int:
    """Carry out a command and give its exit code; errors are told on stderr."""
    try:
        made = app()
        made.config = (Env(PREFIX, command=False), *layer(tokens))
        page = io.StringIO()
        if not tokens or {"--help", "-h"} & set(tokens):
            made.console = drawing(page)
        made(tokens)
        if page.getvalue():
            put(page.getvalue().rstrip())
    except GifthorseError as error:
        talk.error(error.id, str(error))
        return error.exit_code
    except CycloptsError as error:
        talk.error("GH100", f"{error}\n  try: gifthorse {_verb(tokens)}--help")
        return 2
    except KeyboardInterrupt:
        talk.say("stopped; the same command goes on where it was")
        return 130
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else 0
    return 0


def _verb(tokens: list[str]) -> str:
    return f"{tokens[0]} " if tokens and not tokens[0].startswith("-") else ""


def _bug(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """What happens to an error that nobody foresaw: its traceback is kept in a file, and Python exits with 1."""
    text = "".join(traceback.format_exception(kind, error, where))
    with tempfile.NamedTemporaryFile("w", prefix="gifthorse-", suffix=".traceback", delete=False) as kept:
        kept.write(text)
    Talk().error("GH000", f"this is a bug in gifthorse: {kind.__name__}: {error}\n  try: report it with {kept.name}")
