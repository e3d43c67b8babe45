"""Captions of single pictures by BLIP (Li et al. 2022), from a folder on this machine; nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from gifthorse.captioners.base import Bytes, flat
from gifthorse.errors import InputError, MissingExtra
from gifthorse.images import to_uint8

NEEDED = ("config.json", "model.safetensors", "tokenizer_config.json")
"""Files that a folder with a BLIP has, as ``save_pretrained`` of model and processor writes them, besides others."""

PREPARING = ("preprocessor_config.json", "processor_config.json")
"""What its pictures are prepared by, under either name that transformers has had for it."""

HOW = "a folder that transformers' BlipForConditionalGeneration and BlipProcessor were saved in, with safetensors"


@dataclass(frozen=True, kw_only=True)
class Blip:
    """A captioner of single pictures.

    Attributes:
        folder: with the model and its processor.
        beams: of the search for the likeliest caption.
        tokens: most that a caption has.
    """

    folder: Path
    beams: int = 3
    tokens: int = 20

    def ready(self) -> None:
        """Find out whether it can be loaded, without loading it.

        Raises:
            InputError: the folder is not there, or lacks a file.
            MissingExtra: transformers is not installed.
        """
        if not self.folder.is_dir():
            raise InputError(f"{self.folder} is no folder", HOW)
        lacking = [name for name in NEEDED if not (self.folder / name).is_file()]
        if not any((self.folder / name).is_file() for name in PREPARING):
            lacking.append(PREPARING[0])
        if lacking:
            raise InputError(f"{self.folder} has no {', '.join(lacking)}", HOW)
        if importlib.util.find_spec("transformers") is None:
            raise MissingExtra(
                "BLIP needs the package 'transformers', which is not installed", "pip install 'gifthorse[clip]'"
            )

    @property
    def digest(self) -> str:
        """SHA-256 of the names and contents of its files.

        Raises:
            InputError: the folder is not there.
        """
        if not self.folder.is_dir():
            raise InputError(f"{self.folder} is no folder", HOW)
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        told = hashlib.sha256()
        for path in files:
            state = path.stat()
            told.update(f"{path.name}:{_hashed(path, state.st_size, state.st_mtime_ns)}\n".encode())
        return told.hexdigest()

    def captions(self, pictures: Bytes, device: str = "cpu") -> tuple[str, ...]:
        """A caption of each picture, the likeliest that beam search finds.

        Args:
            pictures: ``(n, 4, h, w)`` uint8 RGBA.
            device: where it computes.

        Raises:
            InputError: the folder holds no BLIP.
            MissingExtra: transformers is not installed.
        """
        self.ready()
        processor, model = _loaded(self.folder, device)
        images = [picture.transpose(1, 2, 0) for picture in to_uint8(flat(pictures))]
        with torch.no_grad():
            given = processor(images=images, return_tensors="pt").to(device)
            tokens = model.generate(
                **given, do_sample=False, num_beams=self.beams, min_length=1, max_new_tokens=self.tokens
            )
        return tuple(text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True))


@lru_cache(maxsize=64)
def _hashed(path: Path, size: int, modified: int) -> str:
    """Of a file as it is now; size and time say when it has to be read again."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _loaded(folder: Path, device: str) -> tuple[Any, Any]:
    from transformers import BlipForConditionalGeneration, BlipProcessor
    from transformers.utils import logging

    logging.disable_progress_bar()  # the run has one of its own
    try:
        processor: Any = BlipProcessor.from_pretrained(str(folder), local_files_only=True)
        model: Any = BlipForConditionalGeneration.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        first = str(error).strip().partition("\n")[0]
        raise InputError(f"{folder} holds no BLIP: {first}", HOW) from error
    return processor, model.eval().requires_grad_(False).to(device)
