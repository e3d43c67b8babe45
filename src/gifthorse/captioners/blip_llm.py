"""The thesis's captions of found sets: BLIP on each picture, a language model on its captions (thesis 5.2.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, final

from gifthorse.captioners.base import Bytes, Captioner, Sight
from gifthorse.captioners.blip import Blip
from gifthorse.captioners.chat import Chat
from gifthorse.errors import UsageError
from gifthorse.records import Caption

PROMPT = (
    "The following is a set of captions for images. Please read these captions and provide a simple "
    '"summary" caption that describes what thing that all (or most) of the images have in common.'
)
"""As thesis 5.2.3 prints it."""

LONGEST = 500
"""Characters of a summary that are kept."""


@final
@dataclass(frozen=True, kw_only=True)
class BlipLlm(Captioner):
    """A caption of each picture by BLIP (Li et al. 2022), and a language model's summary of these.

    The prompt is the thesis's own, with the captions below it, one a line; the thesis does not say how it put them.
    Differs from it in the model, which is any that a server of the user's offers (there ChatGPT, v3.5), at temperature
    0, and in BLIP's search, which the thesis does not name (here that of BLIP's own demonstration, three beams).
    There is no significance: whatever the model says is the caption, "no common theme" too.

    It calls nobody but the address in ``url``, and downloads nothing.

    Attributes:
        blip: folder with transformers' BlipForConditionalGeneration and BlipProcessor.
        url: of a server that speaks OpenAI's chat completions, such as http://localhost:8000/v1.
        model: name of the language model, as that server knows it.
        key_from: name of the environment variable that holds the key for the server; none is sent if this is empty.
        timeout: seconds without a word from the server after which it is given up.
        beams: of BLIP's search.
        tokens: most that a caption of BLIP's has.
    """

    name: ClassVar[str] = "blip_llm"
    version: ClassVar[int] = 1
    places: ClassVar[tuple[str, ...]] = ("blip", "url")

    blip: str = ""
    url: str = ""
    model: str = ""
    key_from: str = ""
    timeout: float = 60.0
    beams: int = 3
    tokens: int = 20

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            UsageError: no folder, address or model, or numbers below 1.
        """
        if not self.blip or not self.url:
            missing = " and ".join(name for name in ("blip", "url") if not getattr(self, name))
            raise UsageError(
                f"the captioner blip_llm was given no {missing}",
                "blip_llm@blip=FOLDER@url=http://localhost:8000/v1@model=NAME",
            )
        if self.beams < 1 or self.tokens < 1:
            raise UsageError(f"beams is {self.beams} and tokens {self.tokens}", "both from 1")
        self._chat()

    def _chat(self) -> Chat:
        return Chat(url=self.url, model=self.model, key_from=self.key_from, timeout=self.timeout)

    def _blip(self) -> Blip:
        return Blip(folder=Path(self.blip), beams=self.beams, tokens=self.tokens)

    def ready(self) -> None:
        """Find out whether BLIP and the key are there; the server is not asked.

        Raises:
            InputError: one is not.
        """
        self._blip().ready()
        self._chat().ready()

    def seen(self) -> dict[str, Any]:
        """The digest of BLIP's files. What answers at the address is known by the model's name alone."""
        return {"blip": self._blip().digest}

    def caption(self, caption: Caption, pictures: Bytes, sight: Sight, /) -> Caption:
        """A caption of each picture, and the model's summary.

        Args:
            caption: to fill in.
            pictures: of the set, ``(n, 4, h, w)`` uint8 RGBA.
            sight: with the device.

        Raises:
            InputError: the folder holds no BLIP, or the server gives no answer.
        """
        each = self._blip().captions(pictures, sight.device)
        said = self._chat().answer("\n".join([PROMPT, "", *each]))
        return replace(caption, words=_short(said), each=each)


def _short(said: str) -> str:
    """A summary on one line, without quotation marks around the whole of it, and cut where it is a speech."""
    for marks in ('""', "''", "“”"):
        if len(said) > 2 and said[0] == marks[0] and said[-1] == marks[1] and marks[0] not in said[1:-1]:
            said = said[1:-1].strip()
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
