"""Regions shaped like people: outlines that are drawn, and mattes of other pictures, moved."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np

from vcam.types import U8

Chance: TypeAlias = np.random.Generator


def region(chance: Chance, side: int, others: list[U8]) -> U8:
    """A matte, uint8 (side, side), of which between 3 and 85 % is inside. others: mattes of people to take from."""
    for _ in range(8):
        kind = chance.random()
        if others and kind < 0.4:
            found = moved(chance, others[int(chance.integers(len(others)))], side)
        elif kind < 0.75:
            found = bust(chance, side)
        else:
            found = blob(chance, side)
        if 0.03 <= float(found.mean()) / 255 <= 0.85:
            return found
    return blob(chance, side, at_middle=True)


def moved(chance: Chance, matte: U8, side: int) -> U8:
    """A matte elsewhere, larger or smaller, perhaps mirrored."""
    height, width = matte.shape
    scale = side * np.exp(chance.uniform(-0.4, 0.4)) / np.array([width, height])
    if chance.random() < 0.5:
        matrix = np.array([[-scale[0], 0, side], [0, scale[1], 0]], np.float32)
    else:
        matrix = np.array([[scale[0], 0, 0], [0, scale[1], 0]], np.float32)
    matrix[:, 2] += chance.normal(0, 0.15, 2) * side
    # a bust that ends at the lower edge still does
    matrix[1, 2] = max(matrix[1, 2], side - abs(scale[1]) * height)
    return cv2.warpAffine(matte, matrix, (side, side), flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def bust(chance: Chance, side: int) -> U8:
    """Head, neck and shoulders."""
    matte = np.zeros((side, side), np.uint8)
    head = chance.uniform(0.07, 0.2) * side
    x, y = chance.uniform(0.2, 0.8) * side, chance.uniform(0.2, 0.6) * side
    wide = chance.uniform(0.6, 1.0)
    tall = head * chance.uniform(1.1, 1.5)
    shoulders = head * chance.uniform(1.8, 3.2)
    top = y + tall * chance.uniform(1.1, 1.6)

    def ellipse(centre: tuple[float, float], axes: tuple[float, float]) -> None:
        cv2.ellipse(matte, (centre, (2 * axes[0], 2 * axes[1]), chance.uniform(-8, 8)), 255, -1, cv2.LINE_AA)

    ellipse((x, y), (head * wide, tall))
    ellipse((x, top + shoulders * 0.55), (shoulders * wide, shoulders * chance.uniform(0.5, 0.9)))
    half = shoulders * wide * chance.uniform(0.7, 1.0)
    cv2.rectangle(matte, (round(x - half), round(top + shoulders * 0.5)), (round(x + half), side), 255, -1)
    cv2.rectangle(
        matte, (round(x - head * 0.5 * wide), round(y)), (round(x + head * 0.5 * wide), round(top + shoulders * 0.4)),
        255, -1,
    )  # fmt: skip
    return matte


def blob(chance: Chance, side: int, *, at_middle: bool = False) -> U8:
    """A closed outline that goes in and out smoothly."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones_like(angles)
    for wave in range(1, 6):
        radius += chance.normal(0, 0.25 / wave) * np.cos(wave * angles + chance.uniform(0, 2 * np.pi))
    radius = np.clip(radius, 0.2, 2) * side * (0.3 if at_middle else chance.uniform(0.12, 0.42))
    centre = np.array([0.5, 0.5]) if at_middle else chance.uniform(0.2, 0.8, 2)
    stretch = np.exp(chance.normal(0, 0.25))
    points = np.stack([np.cos(angles) * radius * stretch, np.sin(angles) * radius / stretch], axis=1) + centre * side
    matte = np.zeros((side, side), np.uint8)
    cv2.fillPoly(matte, [np.rint(points).astype(np.int32)], 255, cv2.LINE_AA)
    return matte
