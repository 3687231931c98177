"""How different the lesson singers are: resemblyzer's cosine between clips of different songs (extra `eval`).

    python -m benchmarks.lesson_singers

The singers were chosen by this score on parts of the training songs, so the table of held-out songs is the honest one.
"""

import numpy as np
from resemblyzer import VoiceEncoder

from svcnb.audio import resample
from svcnb.lesson import HELD_OUT_SONGS, NEWCOMER, RATE, SINGERS, sing

NAMES = (*SINGERS, NEWCOMER)
SOME_TRAIN_SONGS = ("twinkle", "london", "grace", "susanna")


def similarities(songs: tuple[str, ...]) -> np.ndarray:
    """Mean cosine of every pair of singers, never of the same song; the diagonal is a singer with themself."""
    encoder = VoiceEncoder("cpu", verbose=False)
    embed = lambda singer, song: encoder.embed_utterance(resample(sing(singer, song)[0], RATE, 16000))
    voices = np.array([[embed(singer, song) for song in songs] for singer in NAMES])
    cosines = np.einsum("aif,bjf->abij", voices, voices)
    n = len(songs)
    return (cosines.sum((2, 3)) - np.einsum("abii->ab", cosines)) / (n * n - n)


def main() -> None:
    for title, songs in (("songs of training", SOME_TRAIN_SONGS), ("held-out songs", HELD_OUT_SONGS)):
        table = similarities(songs)
        print(f"\n{title}: {', '.join(songs)}")
        print(" " * 8 + "".join(f"{name:>8}" for name in NAMES))
        for name, row in zip(NAMES, table, strict=True):
            print(f"{name:8}" + "".join(f"{value:8.3f}" for value in row))
        others = table[np.triu_indices(len(table), 1)]
        print(f"same singer: from {np.diag(table).min():.3f}; others: {others.mean():.3f}, up to {others.max():.3f}")


if __name__ == "__main__":
    main()
