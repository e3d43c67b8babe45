"""BigGAN-deep against the package whose weights it reads, on random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gifthorse.errors import InputError, UsageError
from gifthorse.zoo import biggan
from gifthorse.zoo.generator import Change, Latents

package = pytest.importorskip("pytorch_pretrained_biggan", reason="pytorch-pretrained-biggan is not installed")

LAYERS = [[False, 16, 16], [True, 16, 8], [False, 8, 8], [True, 8, 4], [True, 4, 2], [False, 2, 1]]
SMALL = {
    "attention_layer_position": 3,
    "channel_width": 8,
    "class_embed_dim": 16,
    "eps": 1e-4,
    "layers": LAYERS,
    "n_stats": 51,
    "num_classes": 12,
    "output_dim": 32,
    "z_dim": 16,
}


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch.manual_seed(0)
    network = package.BigGAN(package.BigGANConfig(**SMALL))
    with torch.no_grad():  # statistics, gains and spectral norms as after a training, so that each is seen
        for name, buffer in network.named_buffers():
            if "running_means" in name:
                buffer.normal_(0, 0.3)
            elif "running_vars" in name:
                buffer.uniform_(0.5, 2.0)
        for name, parameter in network.named_parameters():
            if name.endswith("gamma"):
                parameter.fill_(0.7)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(2, 16), torch.eye(12)[:2], 0.4)
    return network.eval()


@pytest.fixture(scope="module")
def folder(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("biggan")
    (path / "config.json").write_text(json.dumps(SMALL))
    torch.save(theirs.state_dict(), path / "pytorch_model.bin")
    return path


def latents(n: int = 3) -> Latents:
    draw = torch.Generator().manual_seed(1)
    return Latents(noise=0.4 * torch.randn(n, 16, generator=draw), classes=torch.eye(12)[torch.arange(n) % 12])


@pytest.mark.parametrize("truncation", [0.4, 0.433, 1.0])
def test_it_draws_what_the_package_draws(theirs: Any, folder: Path, truncation: float) -> None:
    given = latents()
    with torch.no_grad():
        wanted: Tensor = theirs(given.noise, given.classes, truncation)
        found = biggan.load(folder, truncation).draw(given)
    assert found.shape == (3, 3, 32, 32)
    assert (wanted.std((1, 2, 3)) > 0.05).all()
    torch.testing.assert_close(found, (wanted + 1) / 2, atol=1e-5, rtol=0)


def test_layers_are_counted_as_the_papers_notebook_counts_them(folder: Path) -> None:
    generator = biggan.load(folder)
    shapes = {name: generator.shape(name) for name in generator.layers() if name.count(".") == 2}
    assert shapes == {
        "generator.layers.0": (128, 4, 4),
        "generator.layers.1": (64, 8, 8),
        "generator.layers.2": (64, 8, 8),
        "generator.layers.3": (64, 8, 8),
        "generator.layers.4": (32, 16, 16),
        "generator.layers.5": (16, 32, 32),
        "generator.layers.6": (8, 32, 32),
    }


def test_a_change_at_a_layer_is_as_if_its_output_had_been_changed(theirs: Any, folder: Path) -> None:
    given, generator = latents(), biggan.load(folder)
    added = torch.randn(3, *generator.shape("generator.layers.3"), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = generator.draw(given, Change(layer="generator.layers.3", values=added))
        inner = theirs.generator
        condition = torch.cat([given.noise, theirs.embeddings(given.classes)], 1)
        x = inner.gen_z(condition).view(-1, 4, 4, 128).permute(0, 3, 1, 2).contiguous()
        for place, layer in enumerate(inner.layers):
            x = layer(x, condition, 0.4) if isinstance(layer, package.model.GenBlock) else layer(x)
            x = x + added if place == 3 else x
        wanted = torch.tanh(inner.conv_to_rgb(torch.relu(inner.bn(x, 0.4)))[:, :3])
    torch.testing.assert_close(found, (wanted + 1) / 2, atol=1e-5, rtol=0)


def test_it_has_no_discriminator_and_says_so(folder: Path) -> None:
    with pytest.raises(InputError, match="without a discriminator"):
        biggan.load(folder).realness(torch.zeros(1, 3, 32, 32))


def test_wrong_folders_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        biggan.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "channel_width": 4}))
    with pytest.raises(InputError, match="no weights"):
        biggan.load(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes((folder / "pytorch_model.bin").read_bytes())
    with pytest.raises(InputError, match="does not hold this BigGAN"):
        biggan.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="is no BigGAN's"):
        biggan.load(tmp_path)
    with pytest.raises(UsageError, match="no layer"):
        biggan.load(folder).shape("generator.layer.3")
