"""Which pieces of an MP3 need bytes that are not in the file? Cutting without encoding anew leaves them behind.

A frame of Layer III may begin its data up to 511 bytes before itself (ISO/IEC 11172-3, main_data_begin). FFmpeg plays
silence where these bytes are not there, and does not say so.
"""

MOST = 511  # bytes that a frame can reach back
VERSION_1 = 3  # of MPEG, in the frame's header; others have shorter side information


class Reservoir:
    """What of earlier frames is at hand, frame after frame."""

    def __init__(self) -> None:
        self.held = 0  # bytes
        self.unfed = 0  # frames so far that reached back for more than there was

    def take(self, frame: bytes) -> None:
        """The next frame, from its header on."""
        if len(frame) < 6:
            return
        first, mono = frame[1] >> 3 & 3 == VERSION_1, frame[3] >> 6 == 3
        begin = 4 if frame[1] & 1 else 6  # after the header, and a checksum where there is one
        side = (17 if mono else 32) if first else (9 if mono else 17)  # bytes
        back = frame[begin] << 1 | frame[begin + 1] >> 7 if first else frame[begin]
        self.unfed += back > self.held
        self.held = min(self.held + max(len(frame) - begin - side, 0), MOST)
