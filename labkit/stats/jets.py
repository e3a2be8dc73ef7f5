"""Numbers that carry their first and second derivatives by variance components through any calculation.

Notation: q components theta; k = q, or 0 when no derivatives are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Jet", "component", "constant"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Jet:
    """Numbers with their first and second derivatives by theta.

    Attributes
    ----------
    value : (c, n)
    first : (k, c, n), k = q, or 0 when no derivatives are wanted
    second : (k, k, c, n)
    """

    value: Array
    first: Array
    second: Array

    def __add__(self, other: Jet) -> Jet:
        return Jet(self.value + other.value, self.first + other.first, self.second + other.second)

    def __sub__(self, other: Jet) -> Jet:
        return Jet(self.value - other.value, self.first - other.first, self.second - other.second)

    def __mul__(self, other: Jet) -> Jet:
        cross = self.first[:, None] * other.first[None]
        return Jet(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            self.second * other.value + cross + cross.swapaxes(0, 1) + self.value * other.second,
        )

    def inverse(self) -> Jet:
        """1 / self."""
        value = 1 / self.value
        square = self.first[:, None] * self.first[None]
        return Jet(value, -self.first * value**2, 2 * square * value**3 - self.second * value**2)

    def log(self) -> Jet:
        """Natural logarithm."""
        relative = self.first / self.value
        return Jet(
            np.log(self.value), relative, self.second / self.value - relative[:, None] * relative[None]
        )

    def sums(self, starts: NDArray[np.intp]) -> Jet:
        """Sums over the groups that begin at `starts`."""
        parts = (self.value, self.first, self.second)
        return Jet(*(np.add.reduceat(part, starts, axis=-1) for part in parts))

    def take(self, index: NDArray[np.intp]) -> Jet:
        """Columns by index."""
        return Jet(self.value[..., index], self.first[..., index], self.second[..., index])

    def cross(self, other: Jet) -> Jet:
        """self other', (c, c)."""
        a, b = self, Jet(*(part.swapaxes(-1, -2) for part in (other.value, other.first, other.second)))
        both = a.first[:, None] @ b.first[None]
        return Jet(
            a.value @ b.value,
            a.first @ b.value + a.value @ b.first,
            a.second @ b.value + both + (a.first[None] @ b.first[:, None]) + a.value @ b.second,
        )


def constant(value: Array, k: int) -> Jet:
    """Numbers that do not depend on theta."""
    shape = value.shape
    return Jet(value, np.broadcast_to(0.0, (k, *shape)), np.broadcast_to(0.0, (k, k, *shape)))


def component(theta: Array, i: int, k: int) -> Jet:
    """theta_i as (1, 1)."""
    first = np.zeros((k, 1, 1))
    first[i : i + 1] = 1.0
    return Jet(theta[i].reshape(1, 1), first, np.zeros((k, k, 1, 1)))
