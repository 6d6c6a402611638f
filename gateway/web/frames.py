# SPDX-License-Identifier: Apache-2.0
"""Where one WebSocket frame ends and the next begins (RFC 6455 section 5.2): only there can a word of ours stand."""

_LONG, _LONGER, _MASKED = 126, 127, 0x80
CLOSED_BY_POLICY = bytes((0x88, 2)) + (1008).to_bytes(2, "big")
"""The close frame of section 7.4.1 that tells a client that it may come again and will be decided on."""


class Frames:
    """Follows what one side sends, without looking inside."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    @property
    def between(self) -> bool:
        """Whether everything so far was whole frames."""
        return not self._left and not self._head

    def feed(self, content: bytes) -> None:
        """More of it."""
        place = 0
        while place < len(content):
            if self._left:
                taken = min(self._left, len(content) - place)
                self._left -= taken
                place += taken
                continue
            self._head += content[place : place + 1]
            place += 1
            length = _length(self._head)
            if length is not None:
                self._head, self._left = b"", length


def _length(head: bytes) -> int | None:
    """Bytes that follow a whole head; None while it is not whole."""
    if len(head) < 2:  # noqa: PLR2004 - the shortest head
        return None
    said, masked = head[1] & 0x7F, 4 if head[1] & _MASKED else 0
    more = {_LONG: 2, _LONGER: 8}.get(said, 0)
    if len(head) < 2 + more:
        return None
    return (int.from_bytes(head[2 : 2 + more], "big") if more else said) + masked
