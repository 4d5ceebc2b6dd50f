"""The decoder: packets of one video track in, frames out, going on past what is broken.

It stands apart because a broken packet is no reason to stop: the frames around it can be delivered, and whether the one
that is missing matters is for the caller to say. The library's last complaint is kept for that.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import av.container
import av.error
import av.video.stream

from clipd.media.door import only, words_of


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

    def packets(self) -> Iterator[av.Packet[av.video.stream.VideoStream]]:
        """The packets of the track from where the file stands, an empty one at the end to flush the decoder.

        A file that breaks off ends there; `last_words` then says why.
        """
        try:
            yield from self._container.demux(self.stream)
        except av.error.FFmpegError as error:
            self.last_words = words_of(error)
            yield av.Packet()

    def frames(self, packet: av.Packet[av.video.stream.VideoStream]) -> list[av.VideoFrame]:
        """The frames that `packet` completes, in the decoder's order; none if it is refused. An empty packet flushes."""
        try:
            return self.stream.codec_context.decode(packet if packet.size else None)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            self.last_words = words_of(error)
            return []
