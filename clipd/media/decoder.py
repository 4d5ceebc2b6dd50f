"""The decoder: packets of one video track in, frames out, going on past what is broken.

It stands apart because a broken packet is no reason to stop: the frames around it can be delivered, and whether the one
that is missing matters is for the caller to say. The library's last complaint is kept for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import av
import av.container
import av.error
import av.video.stream

from clipd.media.door import only, words_of

if TYPE_CHECKING:
    _Packet = av.Packet[av.video.stream.VideoStream]

EARLIER_SECONDS = 10
"""How far ahead of a packet the last seek for it aims, for containers that seek inexactly."""


class NotFoundError(LookupError):
    """A packet that was there when the file was listed is not found by seeking."""


class Decoder:
    """Decodes the track `stream` of an open file; every other track is skipped unread.

    `threads` is the number of decoder threads, 0 for all cores.
    """

    def __init__(
        self, container: av.container.InputContainer, stream: av.video.stream.VideoStream, *, threads: int = 0
    ) -> None:
        only(container, stream)
        self._container = container
        self.stream = stream
        self.stream.codec_context.thread_count = threads
        self.last_words = ""
        """What the library last complained about, or nothing."""
        self.refused = 0
        """How many packets could not be decoded so far."""

    def packets(self) -> Iterator[_Packet]:
        """The packets of the track from where the file stands, an empty one at the end to flush the decoder.

        A file that breaks off ends there; `last_words` then says why.
        """
        try:
            yield from self._container.demux(self.stream)
        except av.error.FFmpegError as error:
            self.last_words = words_of(error)
            yield cast("_Packet", av.Packet())
        except IndexError:
            # The binding flushes every track at the end, and may stumble over one that appeared on the way.
            yield cast("_Packet", av.Packet())

    def packets_from(self, pts: int, dts: int) -> Iterator[_Packet]:
        """The packets of the track from exactly the keyframe with these times, in ticks of the track.

        Raises:
            NotFoundError: seeking does not lead to it.
        """
        earlier = dts - int(EARLIER_SECONDS / (self.stream.time_base or 1))
        for target in (pts, dts, earlier):
            try:
                self._container.seek(target, stream=self.stream)
            except av.error.FFmpegError as error:
                self.last_words = words_of(error)
                continue
            packets = self.packets()
            for packet in packets:
                if packet.pts == pts and packet.is_keyframe:
                    yield packet
                    yield from packets
                    return
                if not packet.size or (packet.is_keyframe and packet.pts is not None and packet.pts > pts):
                    break
        raise NotFoundError(f"the packet with the time {pts} is not found by seeking")

    def frames(self, packet: _Packet) -> list[av.VideoFrame]:
        """The frames that `packet` completes, in the decoder's order; none if it is refused. An empty one flushes."""
        try:
            return self.stream.codec_context.decode(packet if packet.size else None)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self.last_words = words_of(error)
            self.refused += 1
            return []
