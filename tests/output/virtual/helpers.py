"""A v4l2loopback device that is a file, and answers ioctls as the module does."""

from __future__ import annotations

import errno
import os

from vcam.frames import Frame
from vcam.v4l2 import raw
from vcam.v4l2.device import Capabilities

WAITING = Capabilities("v4l2 loopback", "vcam", "platform:0", raw.V4L2_CAP_VIDEO_OUTPUT)
"""Of a device that nobody feeds."""


def picture(size, colour):
    frame = Frame.allocate(*size)
    frame.fill(*colour)
    return frame


class FakeLoopback:
    """A device that keeps one format, and writes into a file."""

    def __init__(self, code="YU12", size=(64, 32), busy=False, buffers=2, counts_round=False, before=0):
        self.code, self.size, self.busy = code, size, busy
        self.buffers, self.counts_round = buffers, counts_round
        self.interval = None
        self.shown = []
        # its count of pictures; those of producers before this one are in it, and a reader that comes clears the list
        self._before, self.path, self.cleared = before, None, 0

    def count(self):
        return self._before + self.path.stat().st_size // (self.size[0] * self.size[1] * 3 // 2) + len(self.shown)

    def sequence(self, index):
        """Of the last picture in a buffer, as if all had been written."""
        return max((each for each in range(self.cleared, self.count()) if each % self.buffers == index), default=0)

    def ioctl(self, fd, request, argument):
        if request == raw.VIDIOC_QUERYCAP:
            argument.driver, argument.card, argument.capabilities = b"v4l2 loopback", b"vcam", WAITING.flags
        elif request in (raw.VIDIOC_S_FMT, raw.VIDIOC_G_FMT):
            if request == raw.VIDIOC_S_FMT and self.busy and argument.fmt.pix.width != self.size[0]:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
            argument.fmt.pix.pixelformat = raw.fourcc(self.code)
            argument.fmt.pix.width, argument.fmt.pix.height = self.size
        elif request == raw.VIDIOC_S_PARM:
            interval = argument.parm.capture.timeperframe
            self.interval = (interval.numerator, interval.denominator)
        elif request in (raw.VIDIOC_QUERYBUF, raw.VIDIOC_QBUF):
            assert argument.type == raw.V4L2_BUF_TYPE_VIDEO_OUTPUT
            if argument.index >= self.buffers and not self.counts_round:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            argument.m.offset = argument.index % self.buffers * 4096 if self.buffers else 0
            argument.sequence = self.sequence(argument.index % self.buffers) if self.buffers else 0
            if request == raw.VIDIOC_QBUF:
                self.shown.append((argument.index % self.buffers, argument.bytesused))
