"""SwiftF0: a small network of the swift-f0 package, weights included; fast on a CPU.

Notebook: 02_features
"""

import numpy as np

from svcnb.f0.predictor import F0Error, Predictor


class SwiftF0(Predictor):
    """swiftf0: 16 ms frames, 46.9 to 2093.8 Hz, voiced where its confidence is at least a half."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            import swift_f0
        except ImportError:
            raise F0Error("Predictor 'swiftf0' needs its package: pip install swift-f0") from None
        self.range = max(self.f0_min, swift_f0.core.FMIN), min(self.f0_max, swift_f0.core.FMAX)
        if self.range[1] < self.range[0] * swift_f0.core.BIN_RATIO:
            raise F0Error(f"Predictor 'swiftf0' hears 46.9 to 2093.8 Hz, not {self.f0_min} to {self.f0_max} Hz.")
        self.detector = swift_f0.SwiftF0(threads=1)

    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = self.detector.detect(wav, self.sample_rate, *self.range)
        return np.where(found.confidence >= 0.5, found.pitch_hz, 0), found.timestamps
