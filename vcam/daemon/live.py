"""`vcam start`: a camera in, a virtual camera out, until somebody stops it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from vcam.camera.factory import make_camera
from vcam.compose.placeholder import placeholder
from vcam.errors import UsageError
from vcam.frames import check_size
from vcam.output.base import Output
from vcam.output.factory import make_output
from vcam.pipeline import Pipeline, open_pipeline, tune_process
from vcam.settings import Settings, parse_size

PLACEHOLDER_RATE = 10.0
"""Frames a second while there is nothing to show: browsers drop a camera that is slower."""


class Live:
    """One run of the loop with the settings' camera and outputs."""

    def __init__(self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Builds camera and outputs and touches neither. Raises `UsageError` for what cannot be meant."""
        self._settings = settings
        self._size = check_size(*parse_size(settings.output.size), "the output")
        self._fps = settings.output.fps
        self._sleep = sleep
        self._stopping = False
        self._pipeline: Pipeline | None = None
        self._camera = make_camera(settings.camera, self._size, self._fps)
        self.outputs = [make_output(target, live=True) for target in _distinct(settings.output.targets)]

    def run(self, frames: int | None = None) -> Pipeline:
        """Serve until the camera or an output ends, `stop` is called, or `frames` frames are done.

        The outputs come first, and show the placeholder while network and camera get ready. Returns the closed
        pipeline, for its timings. Raises what could not be opened, or what failed on the way; the outputs are
        finished then.
        """
        tune_process()
        opened: list[Output] = []
        try:
            for output in self.outputs:
                output.open(self._size, self._fps)
                opened.append(output)
            with ThreadPoolExecutor(1, thread_name_prefix="vcam-open") as pool:
                self._pipeline = self._wait_with_placeholder(pool.submit(self._prepare, opened), opened)
        except BaseException:
            for output in opened:
                output.abort()
            raise
        try:
            if not self._stopping:
                self._pipeline.run(frames)
        finally:
            self._pipeline.close()
        return self._pipeline

    def stop(self) -> None:
        """Let `run` return after the frame in hand; callable from a signal handler."""
        self._stopping = True
        if self._pipeline:
            self._pipeline.stop()

    def _prepare(self, outputs: Sequence[Output]) -> Pipeline:
        pipeline = open_pipeline(self._settings, self._camera, self._size, outputs)
        try:
            self._camera.open()
        except BaseException:
            self._camera.close()
            pipeline.composer.close()
            if pipeline.segmenter:
                pipeline.segmenter.close()
            raise
        return pipeline

    def _wait_with_placeholder(self, ready: Future[Pipeline], outputs: Sequence[Output]) -> Pipeline:
        card = placeholder(self._size)
        while not ready.done():
            card.timestamp = time.monotonic()
            for output in outputs:
                if output.live:
                    output.write(card)
            self._sleep(1 / PLACEHOLDER_RATE)
        return ready.result()


def _distinct(targets: Sequence[str]) -> list[str]:
    if len(set(targets)) < len(targets):
        raise UsageError("the same output is given twice", "name each output once")
    return list(targets)
