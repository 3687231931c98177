"""Train the lesson encoder on the truth of synthesized singing, and write its weights.

    python -m benchmarks.train_lesson_encoder svcnb/lesson/encoder.safetensors --songs 220 --steps 2600

Every song is sung twice, by two singers whom nobody has met, in two keys; the words are parallel frame by frame. The
encoder learns to tell the phoneme and its articulation as it would be in one standard mouth, and to give the two the
same units, frame by frame and on the average of a crop; noise in the units while training leaves room for nothing else.
The lesson singers and the held-out songs take no part. Under three hours of sound and an hour on one core are enough;
--base goes on from a trained encoder.
"""

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from svcnb.audio import resample
from svcnb.encoders.lesson import BEFORE, DIM, Network, log_mel
from svcnb.lesson import PHONES, RATE, SONGS, TRAIN_SONGS, Note, Song, render
from svcnb.lesson.performance import STEP
from svcnb.lesson.phones import COLOURS, CONSONANTS, VOWELS
from svcnb.lesson.voices import random_singer

CROP = 120  # frames of one example
WEIGHTS = {"phoneme": 1, "articulation": 4, "difference": 1, "of means": 20}
ARTICULATION = 6 + len(COLOURS)  # F1..F3, nasality, voice, aspiration, frication by colour


def random_song(rng: np.random.Generator, syllables: int = 30) -> Song:
    """Nonsense on a random walk of notes."""
    consonants = [c for c in CONSONANTS if c != "br"]
    pick = lambda names, most: [
        str(c) for c in rng.choice(names, rng.choice(most + 1, p=[0.2, 0.65, 0.15][: most + 1]))
    ]
    notes, midi = [], 62
    for _ in range(syllables):
        midi = int(np.clip(midi + rng.choice([-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7]), 55, 72))
        coda = [str(rng.choice(consonants))] if rng.random() < 0.3 else []
        phones = (*pick(consonants, 2), str(rng.choice(list(VOWELS))), *coda)
        notes.append(Note(phones, midi, float(rng.choice([0.5, 0.75, 1, 1, 1.5, 2]))))
        if rng.random() < 0.15:
            notes.append(Note((), 0, float(rng.uniform(0.3, 1))))
    return Song("nonsense", rng.uniform(80, 140), tuple(notes))


def lesson(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One song by two singers: sounds (2, N) at 16 kHz, phonemes (T, P) as shares of a frame, articulation (T, A)."""
    rng = np.random.default_rng(seed)
    song = SONGS[rng.choice(TRAIN_SONGS)] if rng.random() < 0.3 else random_song(rng)
    pair = [render(random_singer(rng), song, int(rng.integers(-4, 5)), seed) for _ in range(2)]
    sound = np.stack([resample(wav, RATE, 16000) for wav, _ in pair])
    curves, frames = pair[0][1], sound.shape[1] // 320
    at = (np.arange(frames)[:, None] + np.linspace(0, 1, 16)) * RATE / 50 / STEP  # 16 moments of every frame
    at = at.astype(int).clip(max=len(curves.phone) - 1)
    rows = np.column_stack([3 * np.log(curves.targets / [500, 1500, 2500]), 2 * curves.nasal, curves.voice,
                            12 * curves.aspiration, 20 * curves.frication])  # fmt: skip
    return sound, np.eye(len(PHONES))[curves.phone[at]].mean(1), rows[at].mean(1)


def gather(songs: int) -> tuple[torch.Tensor, ...]:
    """Many lessons one after the other: sounds (2, N), phonemes (T, P), articulation (T, A)."""
    with ProcessPoolExecutor() as pool:
        parts = [[torch.from_numpy(x).half() for x in part] for part in pool.map(lesson, range(songs))]
    sounds, phones, articulation = zip(*parts, strict=True)
    sounds = [sound[:, : len(p) * 320] for sound, p in zip(sounds, phones, strict=True)]
    return torch.cat(sounds, 1), torch.cat(phones), torch.cat(articulation)


def spoil(wav: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Another room, microphone and level for each sound (B, N): echo, a random filter, noise."""
    batch, n = wav.shape
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    time_, bins = torch.arange(4000) / 16000, n // 2 + 1
    decay = 0.02 + 0.1 * torch.rand(batch, 1, generator=generator)
    room = draw(batch, 4000) * torch.exp(-time_ / decay) * 0.05 * torch.rand(batch, 1, generator=generator)
    room[:, 0] = 1
    curve = F.interpolate(4 * draw(batch, 1, 9), bins, mode="linear")[:, 0]  # dB
    wav = torch.fft.irfft(torch.fft.rfft(wav) * torch.fft.rfft(room, n) * 10 ** (curve / 20), n)
    colour = torch.linspace(0, 1, bins).clamp(min=0.01) ** (-0.7 * torch.rand(batch, 1, generator=generator))
    noise = torch.fft.irfft(torch.fft.rfft(draw(batch, n)) * colour, n)
    level = 10 ** (-(20 + 40 * torch.rand(batch, 1, generator=generator)) / 20)
    noise = noise / noise.std(1, keepdim=True) * wav.std(1, keepdim=True) * level
    return (wav + noise) * 10 ** (draw(batch, 1) / 4)


def examples(data: tuple, batch: int, generator: torch.Generator) -> tuple:
    """Of a batch of pairs: log mels (2 B, bands, …), phonemes and articulation (B, CROP, …)."""
    sound, phones, articulation = data
    frames = CROP + 2 * BEFORE + 1
    starts = torch.randint(0, len(phones) - frames, (batch,), generator=generator).tolist()
    wav = torch.cat([sound[:, s * 320 : (s + frames) * 320] for s in starts]).float()  # a pair after the other
    mel = log_mel(spoil(wav, generator))
    keep = [slice(s + BEFORE, s + BEFORE + CROP) for s in starts]
    return mel, torch.stack([phones[k] for k in keep]).float(), torch.stack([articulation[k] for k in keep]).float()


def train(data: tuple, steps: int, base: Path | None = None, peak: float = 3e-3, batch: int = 12, seed: int = 0):
    """Train for so many steps, perhaps from a trained network; prints the losses. Returns the network."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network, heads = Network(), nn.ModuleList([nn.Linear(DIM, len(PHONES)), nn.Linear(DIM, ARTICULATION)])
    if base:
        network.load_state_dict(load_file(base))
    modules = nn.ModuleList([network, heads])
    groups = [{"params": network.parameters()}, {"params": heads.parameters()}]
    optimizer = torch.optim.AdamW(groups, peak, betas=(0.9, 0.98), weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, [peak, 3e-3], total_steps=steps, pct_start=0.1)
    sums = Counter()
    for step in range(1, steps + 1):
        mel, *truths = examples(data, batch, generator)
        parts = losses(network(mel).unflatten(0, (batch, 2)), *truths, heads, generator)
        optimizer.zero_grad()
        sum(WEIGHTS[name] * parts[name] for name in WEIGHTS).backward()
        nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        optimizer.step()
        rate.step()
        sums.update({name: value.item() for name, value in parts.items()})
        if step % 50 == 0:
            print(f"step {step}: " + ", ".join(f"{name} {value / 50:.4f}" for name, value in sums.items()), flush=True)
            sums.clear()
    return network.eval()


def losses(units, phones, articulation, heads, generator) -> dict[str, torch.Tensor]:
    """What training minimises, and the share of frames `right`; units (B, 2, CROP, DIM) of pairs."""
    noisy = units + 0.3 * torch.randn(units.shape, generator=generator)
    guess, first, second = heads[0](noisy), *units.unbind(1)
    return {
        "phoneme": -(phones[:, None] * guess.log_softmax(-1)).sum(-1).mean(),
        "articulation": F.mse_loss(heads[1](noisy), articulation[:, None].expand(-1, 2, -1, -1)),
        "difference": F.mse_loss(first, second),
        "of means": F.mse_loss(first.mean(1), second.mean(1)),
        "right": (guess.argmax(-1) == phones.argmax(-1)[:, None]).float().mean(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--songs", type=int, default=220)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--base", type=Path, help="start from these weights; take --peak 0.001 then")
    parser.add_argument("--peak", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--cache", type=Path, help="keep the sung songs here")
    options = parser.parse_args()
    data = torch.load(options.cache) if options.cache and options.cache.exists() else gather(options.songs)
    if options.cache:
        torch.save(data, options.cache)
    print(f"{len(data[1]) / 50 / 60:.0f} minutes of pairs")
    network = train(data, options.steps, options.base, options.peak)
    save_file({key: value.half().contiguous() for key, value in network.state_dict().items()}, options.output)


if __name__ == "__main__":
    main()
