"""Artefacts of gas: reverberation between probe and pleura (A-lines) and comet tails below it (B-lines)."""

import cv2
import numpy as np

from usfm.simulate.canvas import Body
from usfm.simulate.probe import Probe


class Artefacts:
    """What is added to a clip's beam signals; for bodies without air it only adds nothing.

    Args:
        body: the tissue; `facts` may hold `reverberation_db` and `comets`.
        probe: the probe.
        rng: the random stream.
    """

    def __init__(self, body: Body, probe: Probe, rng: np.random.Generator):
        self.body, self.probe = body, probe
        self.active = bool(body.air.any())
        if not self.active:
            return
        self.share = float(10 ** (body.facts.get("reverberation_db", -12.0) / 20))
        self.rows = np.arange(probe.n_axial, dtype=np.float32)[:, None]
        self.cols = np.broadcast_to(
            np.arange(probe.n_lateral, dtype=np.float32)[None, :], (probe.n_axial, probe.n_lateral)
        )
        self.comets = body.facts.get("comets", [])
        ring = rng.standard_normal((2, probe.n_axial, max(1, len(self.comets))), np.float32)
        ring = np.stack([cv2.GaussianBlur(part, (1, 0), sigmaX=0.1, sigmaY=1.2) for part in ring])
        fog = rng.standard_normal((2, probe.n_axial, probe.n_lateral), np.float32)
        fog = np.stack([cv2.GaussianBlur(part, (0, 0), sigmaX=1.4, sigmaY=0.8) for part in fog])
        fall = np.float32(10) ** (-np.linspace(0, 0.9, probe.n_axial, dtype=np.float32)[:, None])
        level = np.float32(10 ** (body.facts.get("fog_db", -14.0) / 20) / (fog.std() * np.sqrt(2)))
        self.fog = ((fog[0] + 1j * fog[1]) * (level * fall)).astype(np.complex64)
        self.ring = (ring[0] + 1j * ring[1]).astype(np.complex64) / float(ring.std() * np.sqrt(2))

    def add(self, signals: list[np.ndarray], here: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
        """Add the artefacts.

        Below gas nothing returns but echoes that went up and down between gas and probe: the signal at depth r is that
        at r modulo the pleura's depth d, weaker by a constant share a round trip, s(r) += share^k s(r - k d). Comet
        tails ring on from a point of the pleura, straight down the beam, with a slow decay (Soldati et al., J.
        Ultrasound Med. 38, 2019: B-lines as trapped resonance; here only their look). A fog that fades with
        depth stands for all longer paths.

        Args:
            signals: the looks, complex64 (n_axial, n_lateral).
            here: where each beam sample lies in the tissue at rest, (x, z) in mm.

        Returns:
            The signals, changed where there is air.
        """
        if not self.active:
            return signals
        probe = self.probe
        air = self.body.sample(self.body.air, *here) > 127
        first = np.where(air.any(axis=0), air.argmax(axis=0), probe.n_axial).astype(np.float32)
        first = np.maximum(cv2.blur(first[None, :], (5, 1)), 8.0)
        trip = np.floor(self.rows / first)
        source = self.rows - trip * first
        share = np.where((trip > 0) & air, np.power(np.float32(self.share), trip), 0).astype(np.float32)
        share[trip > 4] = 0
        tail = self._tails(first, here, air) + self.fog * air
        out = []
        for signal in signals:
            pair = np.ascontiguousarray(signal).view(np.float32).reshape(*signal.shape, 2)
            echo = cv2.remap(
                pair, self.cols, source.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            out.append(signal + np.ascontiguousarray(echo).view(np.complex64)[..., 0] * share + tail)
        return out

    def _tails(self, first: np.ndarray, here: tuple[np.ndarray, np.ndarray], air: np.ndarray) -> np.ndarray | float:
        """The comet tails, complex64 (n_axial, n_lateral)."""
        if not self.comets:
            return 0.0
        probe = self.probe
        at = np.clip(first[0].astype(int) + 1, 0, probe.n_axial - 1)
        surface_x = here[0][at, np.arange(probe.n_lateral)]
        step_mm = max(float(np.median(np.abs(np.diff(surface_x)))), 1e-3)
        total = np.zeros((probe.n_axial, probe.n_lateral), np.complex64)
        below = np.maximum(self.rows - first, 0) / probe.n_axial
        for place, comet in enumerate(self.comets):
            beam = np.exp(-0.5 * ((surface_x - comet["x_mm"]) / (step_mm * comet["width"])) ** 2)
            fade = np.power(np.float32(10), (np.float32(comet["db"]) - 14 * below) / 20)
            total += self.ring[:, place : place + 1] * (beam[None, :] * fade * air)
        return total
