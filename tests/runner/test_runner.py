"""Both engines keep one promise: every item is Done or Failed, whatever it does to its process."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gifthorse.errors import InputError, UsageError
from gifthorse.runner import Done, Failed, InProcess, LocalProcesses, Runner, local, say
from gifthorse.runner.base import retryable


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


def work(item: str) -> Any:
    """What an item says, it does to the process that works on it."""
    verb, _, rest = item.partition(" ")
    match verb:
        case "say":
            return rest
        case "pid":
            return os.getpid()
        case "raise":
            raise ValueError(rest)
        case "input":
            raise InputError("the cause", "the remedy")
        case "memory":
            raise MemoryError
        case "kill":
            os.kill(os.getpid(), int(rest))
            time.sleep(60)
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            return "alive"
        case "exit":
            os._exit(int(rest))
        case "lambda":
            return lambda: None
        case "variable":
            return os.environ.get(rest)
        case "sleep":
            time.sleep(float(rest))
            return rest
    raise AssertionError(item)


ENGINES: list[Runner] = [InProcess(), LocalProcesses(1), LocalProcesses(3)]
OTHERS = ENGINES[1:]


def name(runner: Runner) -> str:
    return f"{type(runner).__name__}-{runner.workers}"


@pytest.mark.parametrize("runner", ENGINES, ids=name)
def test_every_item_is_done_or_failed(runner: Runner) -> None:
    items = ["say a", "raise no", "say b", "memory", "input", "say c"]
    results = {result.item: result for result in runner.map(work, items)}
    assert sorted(results) == sorted(items)
    assert [results[f"say {x}"] for x in "abc"] == [Done(f"say {x}", x) for x in "abc"]
    failed = results["raise no"]
    assert isinstance(failed, Failed)
    assert failed.error == "ValueError: no"
    assert "raise ValueError(rest)" in failed.traceback
    assert not failed.retryable
    starved, refused = results["memory"], results["input"]
    assert isinstance(starved, Failed)
    assert starved.retryable
    assert isinstance(refused, Failed)
    assert refused.error == "InputError: the cause\n  try: the remedy"


@pytest.mark.parametrize("runner", ENGINES, ids=name)
def test_nothing_to_do_is_done_at_once(runner: Runner) -> None:
    assert list(runner.map(work, [])) == []


def test_in_process_keeps_order_and_lets_signals_through() -> None:
    assert [result.item for result in InProcess().map(work, ["say b", "say a"])] == ["say b", "say a"]

    def interrupted(item: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(InProcess().map(interrupted, ["x"]))


def test_items_are_taken_one_at_a_time() -> None:
    """A deadline works by ending the items: nobody may have taken them beforehand."""
    for runner in ENGINES:
        taken: list[str] = []

        def items(taken: list[str] = taken) -> Iterator[str]:
            for number in range(8):
                taken.append(str(number))
                yield f"say {number}"

        results = runner.map(work, items())
        next(results)
        assert len(taken) <= runner.workers
        results.close()


def test_several_processes_share_the_work() -> None:
    values = [
        r.value for r in LocalProcesses(2).map(work, ["sleep 0.5", "sleep 0.5", "pid", "pid"]) if isinstance(r, Done)
    ]
    assert len(values) == 4
    assert os.getpid() not in values


@pytest.mark.parametrize("runner", OTHERS, ids=name)
def test_a_killed_worker_fails_its_own_item_only(runner: Runner) -> None:
    items = ["say a", f"kill {signal.SIGKILL}", "say b", f"kill {signal.SIGSEGV}", "say c", "exit 3", "say d"]
    results = {result.item: result for result in runner.map(work, items)}
    assert {item for item, result in results.items() if isinstance(result, Done)} == {
        "say a",
        "say b",
        "say c",
        "say d",
    }
    killed, crashed, left = (results[items[place]] for place in (1, 3, 5))
    assert isinstance(killed, Failed)
    assert "killed by SIGKILL" in killed.error
    assert killed.retryable
    assert isinstance(crashed, Failed)
    assert "SIGSEGV" in crashed.error
    assert isinstance(left, Failed)
    assert "exit code 3" in left.error
    assert not left.retryable


def test_the_parent_alone_decides_what_ctrl_c_means() -> None:
    """A terminal sends it to every process; a worker goes on until it is told to end."""
    assert list(LocalProcesses(1).map(work, ["interrupt"])) == [Done("interrupt", "alive")]


def test_a_value_that_cannot_travel_is_a_failure_of_its_item() -> None:
    results = {result.item: result for result in LocalProcesses(1).map(work, ["lambda", "say a"])}
    assert isinstance(results["lambda"], Failed)
    assert results["say a"] == Done("say a", "a")


def test_closing_ends_the_workers() -> None:
    results = LocalProcesses(2).map(work, ["pid", "sleep 60", "sleep 60"])
    first = next(results)
    assert isinstance(first, Done)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first.value, 0)


def test_workers_die_with_their_parent(tmp_path: Path) -> None:
    """A parent that is killed leaves nobody behind once the item in hand is over."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys\nfrom test_runner import work\nfrom gifthorse.runner import LocalProcesses\n"
        "if __name__ == '__main__':\n"
        "    for result in LocalProcesses(1).map(work, ['pid', 'sleep 1', 'sleep 60']):\n"
        "        print(result.value, flush=True)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with subprocess.Popen(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()


def set_variable(name: str, value: str) -> None:
    os.environ[name] = value


def test_every_worker_starts_with_what_it_is_told() -> None:
    start = functools.partial(set_variable, "GIFTHORSE_STARTED", "yes")
    runner = LocalProcesses(2).starting(start)
    items = ["variable GIFTHORSE_STARTED", f"kill {signal.SIGKILL}", "sleep 0.2", "variable GIFTHORSE_STARTED"]
    results = [r.value for r in runner.map(work, items) if isinstance(r, Done) and r.item.startswith("variable")]
    assert results == ["yes", "yes"]
    assert "GIFTHORSE_STARTED" not in os.environ
    assert list(InProcess().starting(start).map(work, items[:1])) == [Done(items[0], None)], "it is set here already"


def refuse_to_start() -> None:
    raise ValueError("no such thing")


def test_a_worker_that_cannot_start_says_why() -> None:
    (result,) = LocalProcesses(1, refuse_to_start).map(work, ["say a"])
    assert isinstance(result, Failed)
    assert result.error == "ValueError: no such thing"


def test_a_worker_that_is_killed_while_idle_is_replaced() -> None:
    """No item was in its hands, so none has failed."""
    killed: list[int] = []

    def items() -> Iterator[str]:
        yield "pid"
        while not killed:  # asked for the next item, the worker of the first one is idle
            yield "say nothing"
        yield "pid"
        yield "say last"

    results = []
    for result in LocalProcesses(1).map(work, items()):
        results.append(result)
        if not killed:
            assert isinstance(result, Done)
            os.kill(result.value, signal.SIGKILL)
            while (
                Path(f"/proc/{result.value}/stat").exists()
                and " Z " not in Path(f"/proc/{result.value}/stat").read_text()
            ):
                time.sleep(0.01)
            killed.append(result.value)
    assert all(isinstance(result, Done) for result in results)
    assert [result.item for result in results] == ["pid", "pid", "say last"]
    second = results[1]
    assert isinstance(second, Done)
    assert second.value != killed[0]


def test_engines_by_number() -> None:
    assert isinstance(local(1), InProcess)
    assert local(3).workers == 3
    with pytest.raises(UsageError, match="0 workers"):
        local(0)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (MemoryError(), True),
        (TimeoutError("slow"), True),
        (OutOfMemoryError("CUDA"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("out of memory"), False),
        (OSError("x"), False),
    ],
)
def test_time_and_memory_are_worth_another_try(error: Exception, again: bool) -> None:
    assert retryable(error) is again


def speak(item: str) -> str:
    """Says each word of its item, with time to breathe."""
    for word in item.split():
        say(word)
        time.sleep(0.25)
    return item


@pytest.mark.parametrize("runner", ENGINES, ids=name)
def test_what_is_said_of_an_item_is_heard(runner: Runner) -> None:
    heard: list[tuple[str, str]] = []
    items = ["a b c", "d e"]
    results = list(runner.map(speak, items, lambda item, word: heard.append((item, word))))
    assert sorted(r.value for r in results if isinstance(r, Done)) == items
    for item in items:
        assert [word for said, word in heard if said == item] == item.split()


@pytest.mark.parametrize("runner", ENGINES, ids=name)
def test_nobody_need_listen(runner: Runner) -> None:
    say("nothing")
    assert [r.item for r in runner.map(speak, ["a"])] == ["a"]


def hurried(item: str) -> None:
    for number in range(10_000):
        say(number)


def test_words_that_come_too_fast_are_dropped() -> None:
    heard: list[int] = []
    assert len(list(LocalProcesses(1).map(hurried, ["x"], lambda item, word: heard.append(word)))) == 1
    assert heard[0] == 0
    assert len(heard) < 100


def test_a_with_block_keeps_the_workers() -> None:
    with LocalProcesses(2) as runner:
        pids = [[r.value for r in runner.map(work, ["pid"]) if isinstance(r, Done)] for _ in range(3)]
        assert pids[0] == pids[1] == pids[2]
        results = runner.map(work, ["pid", "sleep 60"])
        assert next(results) == Done("pid", pids[0][0])
        results.close()
        assert [r.value for r in runner.map(work, ["pid"]) if isinstance(r, Done)] == pids[0], "idle ones stay"
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0][0], 0)


def test_a_kept_worker_that_dies_is_replaced() -> None:
    with LocalProcesses(1) as runner:
        (first,) = runner.map(work, ["pid"])
        assert isinstance(first, Done)
        os.kill(first.value, signal.SIGKILL)
        while " Z " not in Path(f"/proc/{first.value}/stat").read_text():
            time.sleep(0.01)
        (second,) = runner.map(work, ["say a"])
        assert second == Done("say a", "a")
