"""A language model at an address that the user gave: any server that speaks OpenAI's chat completions.

Nothing is sent to any other address: a server that points elsewhere is not followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from gifthorse.errors import InputError, UsageError

MOST = 1 << 20
"""Bytes of an answer that are read: a summary has a hundred."""

TOLD = 200
"""Characters of a server's own words that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class Chat:
    """A language model behind an address.

    Attributes:
        url: what ``/chat/completions`` is put behind: ``http://localhost:8000/v1``.
        model: its name, as the server knows it.
        key_from: name of the environment variable that holds the key for the server; empty for none, and none is sent.
        timeout: seconds without a word from the server after which it is given up.

    Raises:
        UsageError: an address of another form, no model, or a timeout of none.
    """

    url: str
    model: str
    key_from: str = ""
    timeout: float = 60.0

    def __post_init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(self.url)
            known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known:
            raise UsageError(f"url is {self.url!r}", "the address of a server, such as http://localhost:8000/v1")
        if parts.username is not None or parts.password is not None:
            raise UsageError("url holds a user name or a password", "key_from=NAME, an environment variable")
        if parts.query or parts.fragment:
            raise UsageError(f"url is {self.url!r}", "an address without ? and #, such as http://localhost:8000/v1")
        if not self.model:
            raise UsageError("no model is named", "model=NAME, as the server at url knows it")
        if not self.timeout > 0:
            raise UsageError(f"timeout is {self.timeout}", "seconds, above 0")

    def ready(self) -> None:
        """Find out whether the key is there, without asking the server.

        Raises:
            InputError: the environment variable is not set.
        """
        self._headers()

    def answer(self, question: str) -> str:
        """What the model says to one message, as likely as it can (temperature 0).

        Raises:
            InputError: the key is not set, the server cannot be reached, refuses, or answers something else.
        """
        asked = {"model": self.model, "temperature": 0, "messages": [{"role": "user", "content": question}]}
        request = urllib.request.Request(
            f"{self.url.rstrip('/')}/chat/completions",
            data=json.dumps(asked).encode(),
            headers=self._headers(),
            method="POST",
        )
        raw = self._sent(request)
        if len(raw) > MOST:
            raise self._strange(f"is longer than {MOST} bytes")
        try:
            told: Any = json.loads(raw)
            said = told["choices"][0]["message"]["content"]
        except ValueError:
            raise self._strange(f"is no JSON: {_some(raw)}") from None
        except (KeyError, IndexError, TypeError):
            raise self._strange(f"has no choices[0].message.content: {_some(raw)}") from None
        words = " ".join(said.split()) if isinstance(said, str) else ""
        if not words:
            raise self._strange(f"has no words in choices[0].message.content: {_some(raw)}")
        return words

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key_from:
            key = os.environ.get(self.key_from, "").strip()
            if not key:
                raise InputError(
                    f"the environment variable {self.key_from} is not set, which key_from names",
                    f"{self.key_from}=... before the command, or no key_from for a server that asks for no key",
                )
            if not key.isascii() or not key.isprintable():
                raise InputError(f"the environment variable {self.key_from} holds no key", "printable ASCII")
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _sent(self, request: urllib.request.Request) -> bytes:
        # a proxy is one that the user's environment names; it knows no server on this very machine
        near = [urllib.request.ProxyHandler({})] if _loopback(str(request.host)) else []
        opener = urllib.request.build_opener(_Here, *near)
        try:
            with opener.open(request, timeout=self.timeout) as response:
                raw: bytes = response.read(MOST + 1)
                return raw
        except urllib.error.HTTPError as error:
            with error:
                try:
                    told = _some(error.read(MOST))
                except (OSError, http.client.HTTPException):
                    told = ""
            key = (request.get_header("Authorization") or "").removeprefix("Bearer ")
            told = told.replace(key, "(the key)") if key else told
            raise InputError(
                f"the language model at {self.url} answered {error.code} {error.reason}{': ' * bool(told)}{told}",
                "check url, model and the key (key_from=NAME of an environment variable)",
            ) from None
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            reason = getattr(error, "reason", None) or error
            slow = isinstance(error, TimeoutError) or isinstance(reason, TimeoutError)
            what = f"said nothing for {self.timeout:g} s" if slow else f"cannot be reached: {reason}"
            raise InputError(
                f"the language model at {self.url} {what}",
                "start the server, check url, or a longer timeout" if slow else "start the server, or check url",
            ) from None

    def _strange(self, what: str) -> InputError:
        return InputError(
            f"the answer of {self.url} {what}", "the address of a server that speaks OpenAI's chat completions"
        )


class _Here(urllib.request.HTTPRedirectHandler):
    """Follows nobody: another address is none that the user gave, and the key is not for it."""

    def redirect_request(self, *given: Any, **named: Any) -> None:
        """None: the redirection is then an error like any other status."""
        return


def _loopback(host: str) -> bool:
    """Whether ``name:port`` is this machine."""
    name = urllib.parse.urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _some(raw: bytes) -> str:
    """The beginning of what a server said, on one line."""
    text = " ".join(raw[: 4 * TOLD].decode("utf-8", "replace").split())
    return text if len(text) <= TOLD else f"{text[:TOLD]}..."
