"""The thesis's pipeline: a real server that speaks the protocol, and what goes wrong; BLIP in its real format."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gifthorse.captioners import CAPTIONERS
from gifthorse.captioners.base import Sight
from gifthorse.captioners.blip import Blip
from gifthorse.captioners.blip_llm import LONGEST, PROMPT, BlipLlm
from gifthorse.captioners.chat import MOST, Chat
from gifthorse.errors import GifthorseError, InputError, MissingExtra, UsageError
from gifthorse.records import Evidence, Finding, Insertion, Spec

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """A server on this machine: what it was asked, and how it replies."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    reply: Reply = lambda handler: None


def says(text: Any, status: int = 200) -> Reply:
    """Replies with some JSON, or bytes as they are."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        body = text if isinstance(text, bytes) else json.dumps(text).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def completion(content: Any) -> dict[str, Any]:
    """As OpenAI's API documents the object, with what else is in it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "a-model", "choices": [choice]}


@contextmanager
def serving() -> Iterator[Server]:
    server = Server(reply=says(completion("balloons")))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.asked.append({"path": self.path, "headers": dict(self.headers), "body": json.loads(body)})
            server.reply(self)

        def do_GET(self) -> None:
            server.asked.append({"path": self.path, "headers": dict(self.headers), "body": None})
            says(completion("followed"))(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    # what a proxy of the environment says of this machine does not count
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving() as found:
        yield found


def test_the_prompt_is_the_thesis_s_own() -> None:
    assert PROMPT == (
        "The following is a set of captions for images. Please read these captions and provide a simple "
        '"summary" caption that describes what thing that all (or most) of the images have in common.'
    )


def test_one_message_is_sent_as_the_protocol_has_it(server: Server) -> None:
    assert Chat(url=server.url, model="a-model").answer("What?") == "balloons"
    (asked,) = server.asked
    assert asked["path"] == "/v1/chat/completions"
    assert asked["body"] == {
        "model": "a-model", "temperature": 0, "messages": [{"role": "user", "content": "What?"}],
    }  # fmt: skip
    assert asked["headers"]["Content-Type"] == "application/json"
    assert "Authorization" not in asked["headers"], "no key that nobody named is sent"
    assert Chat(url=f"{server.url}/", model="a-model").answer("Again?") == "balloons"
    assert server.asked[1]["path"] == "/v1/chat/completions"


def test_a_key_comes_from_the_variable_that_is_named_and_from_no_other(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-this-server")
    monkeypatch.setenv("MY_KEY", " sk-secret\n")
    Chat(url=server.url, model="m").answer("a")
    Chat(url=server.url, model="m", key_from="MY_KEY").answer("b")
    assert [asked["headers"].get("Authorization") for asked in server.asked] == [None, "Bearer sk-secret"]
    server.reply = says({"error": {"message": "Incorrect API key provided: sk-secret"}}, 401)
    with pytest.raises(InputError) as refused:
        Chat(url=server.url, model="m", key_from="MY_KEY").answer("c")
    assert "401" in str(refused.value)
    assert "Incorrect API key" in str(refused.value)
    assert "sk-secret" not in str(refused.value), "errors are kept and shown"
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(InputError, match="MY_KEY is not set"):
        Chat(url=server.url, model="m", key_from="MY_KEY").ready()
    monkeypatch.setenv("MY_KEY", "two\nlines")
    with pytest.raises(InputError, match="holds no key"):
        Chat(url=server.url, model="m", key_from="MY_KEY").answer("d")
    assert len(server.asked) == 3, "nothing was sent without it"


def moved(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (says({"error": {"message": "no such model"}}, 404), ["404", "no such model", "check url, model"]),
        (says(b"", 500), ["500"]),
        (says(b"<html>hello", 200), ["is no JSON", "<html>hello"]),
        (says(b"\xff\xfe\x00", 200), ["is no JSON"]),
        (says([1, 2]), ["no choices[0].message.content", "[1, 2]"]),
        (says({"choices": []}), ["no choices[0].message.content"]),
        (says({"choices": [{"text": "old protocol"}]}), ["no choices[0].message.content", "old protocol"]),
        (says(completion(None)), ["no words in choices[0].message.content"]),
        (says(completion("  \n ")), ["no words"]),
        (says(completion([{"type": "text"}])), ["no words"]),
        (says(b" " * (MOST + 10)), [f"longer than {MOST} bytes"]),
        (moved, ["302"]),
        (hangs_up, ["cannot be reached"]),
        (cut, ["is no JSON"]),
    ],
    ids=lambda value: None if callable(value) else value[0],
)
def test_what_is_no_answer_is_an_error_that_says_so(server: Server, reply: Reply, told: list[str]) -> None:
    server.reply = reply
    with pytest.raises(InputError) as refused:
        Chat(url=server.url, model="m").answer("What?")
    assert server.url in str(refused.value)
    for part in told:
        assert part in str(refused.value)
    assert len(str(refused.value)) < 600
    assert [asked["path"] for asked in server.asked] == ["/v1/chat/completions"], "and nobody is followed elsewhere"


def test_a_refused_connection_and_a_silent_server_are_told_apart(server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=r"cannot be reached.*refused"):
        Chat(url=f"http://127.0.0.1:{port}/v1", model="m").answer("What?")
    done = threading.Event()

    def waits(handler: BaseHTTPRequestHandler) -> None:
        done.wait(5)

    server.reply = waits
    began = time.monotonic()
    with pytest.raises(InputError, match=r"said nothing for 0\.2 s"):
        Chat(url=server.url, model="m", timeout=0.2).answer("What?")
    assert time.monotonic() - began < 4
    done.set()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": ""}, "url is ''"),
        ({"url": "file:///etc/passwd"}, "http://localhost:8000/v1"),
        ({"url": "ftp://host/v1"}, "url is"),
        ({"url": "localhost:8000"}, "url is"),
        ({"url": "http://:80/v1"}, "url is"),
        ({"url": "http://host:99999/v1"}, "url is"),
        ({"url": "http://me:secret@host/v1"}, "environment variable"),
        ({"url": "http://host/v1?key=1"}, "without ?"),
        ({"model": ""}, "no model"),
        ({"timeout": 0.0}, "timeout is 0"),
    ],
)
def test_an_address_is_one_or_it_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        Chat(**{"url": "http://localhost:1/v1", "model": "m"} | settings)
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


FINDINGS = tuple(Finding(insertion=Insertion(kind="patch", side=8), loss=float(i), picture=i) for i in range(4))
EVIDENCE = Evidence(
    tool=Spec(name="snafue", version=1), kind="synthesis", network="net", trojan="fork", seed=3,
    findings=FINDINGS, kept=(2, 0, 1),
)  # fmt: skip


def pictures(n: int = 4) -> np.ndarray:
    made = np.random.default_rng(0).integers(0, 256, (n, 4, 8, 8), dtype=np.uint8)
    made[:, 3] = 255
    return made


@pytest.fixture
def seeing(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """BLIP is not what these tests are about: it says which picture it was shown."""
    seen: list[np.ndarray] = []

    def captions(self: Blip, shown: np.ndarray, device: str = "cpu") -> tuple[str, ...]:
        seen.append(shown)
        return tuple(f"a thing of {picture[0, 0, 0]}" for picture in shown)

    monkeypatch.setattr(Blip, "captions", captions)
    return seen


def test_captions_of_the_kept_pictures_go_below_the_prompt(server: Server, seeing: list[np.ndarray]) -> None:
    captioner = BlipLlm(blip="somewhere", url=server.url, model="a-model")
    shown = pictures()
    made = captioner(EVIDENCE, shown, Sight())
    np.testing.assert_array_equal(seeing[0], shown[[2, 0, 1]])
    told = tuple(f"a thing of {picture[0, 0, 0]}" for picture in shown[[2, 0, 1]])
    (asked,) = server.asked
    assert asked["body"]["messages"] == [{"role": "user", "content": "\n".join([PROMPT, "", *told])}]
    assert (made.words, made.each, made.n) == ("balloons", told, 3)
    assert made.p is None, "a language model gives no significance"
    assert made.encoder is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('"Red balloons."', "Red balloons."),
        ("“Red balloons”", "Red balloons"),
        ('"Red" and "blue"', '"Red" and "blue"'),
        ("  Red\n balloons ", "Red balloons"),
        ("There is no common theme.", "There is no common theme."),
        ("x" * 900, "x" * LONGEST + "..."),
        ('""', '""'),
    ],
)
def test_a_summary_is_one_line(server: Server, seeing: list[np.ndarray], said: str, words: str) -> None:
    server.reply = says(completion(said))
    assert BlipLlm(blip="x", url=server.url, model="m")(EVIDENCE, pictures(), Sight()).words == words


def test_where_things_lie_is_in_no_record() -> None:
    captioner = CAPTIONERS.make("blip_llm", {"blip": "/home/me/blip", "url": "http://10.0.0.9:1/v1", "model": "m"})
    kept = captioner.spec()
    assert "blip" not in kept.settings
    assert "url" not in kept.settings
    assert kept.settings["model"] == "m"
    assert not {"/home/me", "10.0.0.9"} & set(str(captioner.blank(EVIDENCE)).split())
    with pytest.raises(UsageError, match="given no blip and url"):
        CAPTIONERS.make("blip_llm")
    with pytest.raises(UsageError, match="given no url"):
        CAPTIONERS.make("blip_llm", {"blip": "x", "model": "m"})
    with pytest.raises(UsageError, match="beams is 0"):
        replace(captioner, beams=0)


def test_a_folder_that_is_none_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is no folder"):
        Blip(folder=tmp_path / "nowhere").ready()
    with pytest.raises(InputError, match=r"has no config\.json, model\.safetensors"):
        Blip(folder=tmp_path).ready()
    for name in ("config.json", "model.safetensors", "tokenizer_config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"transformers") as missing:
        Blip(folder=tmp_path).ready()
    assert "gifthorse[clip]" in str(missing.value)
    with pytest.raises(MissingExtra):
        CAPTIONERS.make("blip_llm", {"blip": str(tmp_path), "url": "http://localhost:1/v1", "model": "m"}).ready()


def test_a_key_keeps_what_the_folder_holds_and_not_where_it_is(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    one, other = (Blip(folder=tmp_path / name) for name in ("one", "other"))
    before = one.digest
    assert before == other.digest
    (tmp_path / "one" / "model.safetensors").write_bytes(b"others!")
    assert one.digest != before


WORDS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]"),
    *("a", "picture", "of", "red", "green", "thing", "car", "balloon"),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BLIP with random weights, as small as it gets, saved as transformers saves it."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed (gifthorse[clip])")
    folder: Path = tmp_path_factory.mktemp("blip") / "tiny"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    image = {"size": {"height": 32, "width": 32}}
    transformers.BlipProcessor(transformers.BlipImageProcessor(**image), tokenizer).save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"vocab_size": len(WORDS), "encoder_hidden_size": 16, "max_position_embeddings": 32, **sizes}
    text |= {"bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    config = transformers.BlipConfig(text_config=text, vision_config={"image_size": 32, "patch_size": 16, **sizes})
    torch.manual_seed(0)
    transformers.BlipForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")  # of another package
def test_blip_in_its_real_format_captions_every_picture(tiny: Path) -> None:
    described = Blip(folder=tiny, tokens=6)
    described.ready()
    shown = pictures()
    made = described.captions(shown)
    assert len(made) == 4
    assert all(set(text.split()) <= set(WORDS) for text in made), made
    assert all(len(text.split()) <= 6 for text in made)
    assert not any("[" in text for text in made), "no special tokens"
    assert made == described.captions(shown)
    assert described.captions(shown[:1]) == made[:1], "a picture's caption is its own"


@pytest.mark.filterwarnings("ignore")
def test_the_whole_pipeline_with_a_real_blip_and_a_real_server(tiny: Path, server: Server) -> None:
    captioner = CAPTIONERS.make("blip_llm", {"blip": str(tiny), "url": server.url, "model": "m", "tokens": 5})
    captioner.ready()
    assert set(captioner.seen()) == {"blip"}
    made = captioner(EVIDENCE, pictures(), Sight())
    assert made.words == "balloons"
    assert len(made.each) == 3
    assert server.asked[0]["body"]["messages"][0]["content"].endswith("\n".join(made.each))


@pytest.mark.filterwarnings("ignore")
def test_a_folder_with_something_else_is_refused(tiny: Path, tmp_path: Path) -> None:
    for path in tiny.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors at all")
    with pytest.raises(GifthorseError, match="holds no BLIP"):
        Blip(folder=tmp_path).captions(pictures())
