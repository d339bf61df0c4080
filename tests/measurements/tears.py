"""How often a reader of a virtual camera gets a torn picture (docs/devices.md).

    tests/vm/vmrun --loopback trixie --loopback-args "video_nr=20 exclusive_caps=1 max_buffers=2" -- \
        python -m tests.measurements.tears
"""

from __future__ import annotations

import os
import random
import signal
import time

import numpy as np

from tests.vm.guest import Reader
from vcam.frames import Frame
from vcam.output.virtual.camera import VirtualCamera
from vcam.v4l2 import device

SIZE = (640, 360)
FPS = 60
SECONDS = 4
STRIPS = 8
# how long a reader looks at a picture, and what it does before it asks for the next, in ms
READERS = {
    "keeps up": (4, lambda: 0),
    "works 0 to 24 ms at random": (4, lambda: 24 * random.random()),
    "works 25 ms, so is always late": (4, lambda: 25),
    "looks for 20 ms, longer than it lasts": (20, lambda: 0),
}


def write_for_ever():
    """Flat pictures, each of another grey than the ones near it."""
    camera = VirtualCamera("auto")
    camera.open(SIZE, FPS)
    camera.watched = lambda: True
    pictures = [Frame.allocate(*SIZE) for _ in range(60)]
    for number, picture in enumerate(pictures):
        picture.buffer.fill(16 + 3 * number)
    due = time.monotonic()
    while True:
        for picture in pictures:
            camera.write(picture)
            due += 1 / FPS
            time.sleep(max(0.0, due - time.monotonic()))


def count(look, work):
    """(torn, all) of the pictures that a reader gets."""
    torn = total = 0
    with Reader() as reader:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            filled = device.dequeue_buffer(reader.fd)
            if filled is None:
                time.sleep(0.0005)
                continue
            seen = set()
            for strip in np.array_split(np.frombuffer(reader.maps[filled.index], np.uint8, filled.bytes), STRIPS):
                seen |= {int(strip[0]), int(strip[-1])}
                time.sleep(look / STRIPS / 1000)
            del strip
            device.queue_buffer(reader.fd, filled.index)
            torn, total = torn + (len(seen) > 1), total + 1
            time.sleep(work() / 1000)
    return torn, total


def main():
    writer = os.fork()
    if not writer:
        try:
            write_for_ever()
        finally:
            os._exit(1)
    time.sleep(0.5)
    try:
        for name, (look, work) in READERS.items():
            torn, total = count(look, work)
            print(f"{name:40} {torn:4} of {total:4} torn: {100 * torn / total:.1f} %", flush=True)
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)


if __name__ == "__main__":
    main()
