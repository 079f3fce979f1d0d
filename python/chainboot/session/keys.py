"""From the bytes a terminal sends to keys.

Pure and incremental: bytes may be cut anywhere. Knows ECMA-48, the sequences of xterm, VT220, rxvt and the Linux
console, and UTF-8; knows nothing of file descriptors or time: whoever reads decides when a lone ESC was the Escape key.

Names: a printable character is itself. Others: `Enter Escape Tab Backspace Delete Insert Up Down Left Right Home End
PageUp PageDown F1`..`F12`, `C-a`..`C-z` for control characters, and prefixes in the order `C-`, `A-`, `S-`:
`C-Right`, `A-b`, `A-Backspace`. Whatever is none of these is `Unknown`.
"""

from __future__ import annotations

from enum import Enum

from chainboot.session.events import Key, Resize
from chainboot.text import printable

UNKNOWN = "Unknown"

_ESC = 0x1B
_DEL = 0x7F
# Longer than any sequence of parameters a terminal sends; what comes beyond is dropped, the sequence is unknown.
_LONGEST_PARAMETERS = 32
# A report beyond this is noise, not a terminal.
_LARGEST_SIZE = 1000

_CONTROL = {
    0x08: "Backspace",  # what some terminals send for it; nobody needs C-h here
    0x09: "Tab",
    0x0A: "Enter",  # a program that types "\n"; a terminal in raw mode sends "\r"
    0x0D: "Enter",
    0x1C: "C-\\",
    0x1D: "C-]",
    0x1E: "C-^",
    0x1F: "C-_",
    _DEL: "Backspace",
}
# CSI x and SS3 x (cursor keys, normal and application mode), and CSI 1 ; modifier x
_FINAL = {
    "A": "Up",
    "B": "Down",
    "C": "Right",
    "D": "Left",
    "F": "End",
    "H": "Home",
    "M": "Enter",  # SS3 M: Enter of the numeric pad
    "P": "F1",
    "Q": "F2",
    "R": "F3",
    "S": "F4",
}
# CSI n ~: VT220 numbers
_TILDE = {
    1: "Home",
    2: "Insert",
    3: "Delete",
    4: "End",
    5: "PageUp",
    6: "PageDown",
    7: "Home",  # rxvt
    8: "End",  # rxvt
    11: "F1",
    12: "F2",
    13: "F3",
    14: "F4",
    15: "F5",
    17: "F6",
    18: "F7",
    19: "F8",
    20: "F9",
    21: "F10",
    23: "F11",
    24: "F12",
}


class _At(Enum):
    """Where in a sequence the decoder stands."""

    GROUND = "ground"
    ESCAPE = "escape"
    CSI = "csi"
    LINUX_F = "linux-f"  # ESC [ [ A..E: F1 to F5 of the Linux console
    SS3 = "ss3"
    UTF8 = "utf8"


class KeyDecoder:
    """Feed it what was read; it returns what was pressed and keeps at most one unfinished sequence."""

    def __init__(self) -> None:
        self._at = _At.GROUND
        self._alt = False  # an ESC came right before the UTF-8 character that is being read
        self._parameters = bytearray()
        self._overlong = False
        self._utf8 = bytearray()
        self._utf8_length = 0

    @property
    def pending(self) -> bool:
        """Whether a sequence has begun and not ended. If nothing follows within about 0.1 s, call `flush`."""
        return self._at is not _At.GROUND

    def feed(self, data: bytes) -> tuple[Key | Resize, ...]:
        """The events that `data` completes. Never raises; NUL is dropped (a break on the line, telnet's CR NUL)."""
        events: list[Key | Resize] = []
        for byte in data:
            self._step(byte, events)
        return tuple(events)

    def flush(self) -> tuple[Key, ...]:
        """What the unfinished sequence was, since nothing followed: a lone ESC is the Escape key."""
        at, alt = self._at, self._alt
        self._reset()
        if at is _At.GROUND:
            return ()
        if at is _At.ESCAPE:
            return (Key("Escape"),)
        if at is _At.SS3:
            return (Key("A-O"),)
        if at is _At.CSI and not self._parameters and not self._overlong:
            return (Key("A-["),)
        return (Key(f"A-{UNKNOWN}" if alt else UNKNOWN),)

    def _reset(self) -> None:
        self._at = _At.GROUND
        self._alt = False

    def _step(self, byte: int, events: list[Key | Resize]) -> None:
        match self._at:
            case _At.GROUND:
                self._begin(byte, events)
            case _At.ESCAPE:
                self._after_escape(byte, events)
            case _At.UTF8:
                self._continue_character(byte, events)
            case _At.CSI | _At.SS3 | _At.LINUX_F:
                if byte < 0x20 or byte >= _DEL:  # no byte of a sequence: what began was cut off
                    self._reset()
                    events.append(Key(UNKNOWN))
                    self._begin(byte, events)
                else:
                    self._continue_sequence(byte, events)

    def _begin(self, byte: int, events: list[Key | Resize]) -> None:
        if byte == _ESC:
            self._at = _At.ESCAPE
        elif 0x20 <= byte < _DEL:
            events.append(self._key(chr(byte)))
        elif byte >= 0x80:
            length = 2 if 0xC2 <= byte <= 0xDF else 3 if 0xE0 <= byte <= 0xEF else 4 if 0xF0 <= byte <= 0xF4 else 0
            if length:
                self._at, self._utf8, self._utf8_length = _At.UTF8, bytearray([byte]), length
            else:
                events.append(self._key(UNKNOWN))
        elif byte in _CONTROL:
            events.append(self._key(_CONTROL[byte]))
        elif byte:
            events.append(self._key(f"C-{chr(byte + 0x60)}"))

    def _key(self, name: str) -> Key:
        """The key `name`, with Alt if an ESC came right before it."""
        alt, self._alt = self._alt, False
        if not alt:
            return Key(name)
        return Key(f"C-A-{name[2:]}" if name.startswith("C-") else f"A-{name}")

    def _after_escape(self, byte: int, events: list[Key | Resize]) -> None:
        self._at = _At.GROUND
        if byte == _ESC:  # Escape twice, or Escape and then an arrow
            events.append(Key("Escape"))
            self._at = _At.ESCAPE
        elif byte == ord("["):
            self._at, self._overlong = _At.CSI, False
            self._parameters.clear()
        elif byte == ord("O"):
            self._at = _At.SS3
        elif byte == 0:
            self._at = _At.ESCAPE
        else:
            self._alt = True
            self._begin(byte, events)

    def _continue_character(self, byte: int, events: list[Key | Resize]) -> None:
        if not 0x80 <= byte <= 0xBF:
            self._at = _At.GROUND
            events.append(self._key(UNKNOWN))
            self._begin(byte, events)
            return
        self._utf8.append(byte)
        if len(self._utf8) < self._utf8_length:
            return
        self._at = _At.GROUND
        try:
            char = self._utf8.decode("utf-8")
        except UnicodeDecodeError:  # an overlong form or a surrogate
            char = UNKNOWN
        events.append(self._key(char if printable(char) == char else UNKNOWN))

    def _continue_sequence(self, byte: int, events: list[Key | Resize]) -> None:
        if self._at is _At.LINUX_F:
            self._at = _At.GROUND
            events.append(Key(f"F{byte - ord('A') + 1}" if ord("A") <= byte <= ord("E") else UNKNOWN))
        elif self._at is _At.SS3:
            self._at = _At.GROUND
            events.append(Key(_FINAL.get(chr(byte), UNKNOWN)))
        elif byte == ord("[") and not self._parameters and not self._overlong:
            self._at = _At.LINUX_F
        elif byte < 0x40:  # parameter and intermediate bytes of ECMA-48 5.4
            if len(self._parameters) < _LONGEST_PARAMETERS:
                self._parameters.append(byte)
            else:
                self._overlong = True
        else:
            self._at = _At.GROUND
            events.append(Key(UNKNOWN) if self._overlong else _control_sequence(self._parameters.decode(), chr(byte)))


def _control_sequence(parameters: str, final: str) -> Key | Resize:
    """The event of `CSI parameters final`."""
    numbers: list[int] = []
    for part in parameters.split(";") if parameters else []:
        if not (part.isdigit() and len(part) <= 4):
            return Key(UNKNOWN)
        numbers.append(int(part))
    if final == "R" and len(numbers) == 2 and numbers[0] > 1:
        # A cursor position report (ECMA-48 8.3.14 CPR). Row 1 is F3 with a modifier: the report we ask for comes
        # from the far corner and a terminal of one row is none.
        rows, columns = numbers
        return Resize(columns, rows) if 1 < columns <= _LARGEST_SIZE and rows <= _LARGEST_SIZE else Key(UNKNOWN)
    modifier = numbers[1] if len(numbers) == 2 else 1
    if final == "Z" and not numbers:
        return Key("S-Tab")
    if final == "~" and numbers:
        name = _TILDE.get(numbers[0])
    elif final in _FINAL and final != "M" and (not numbers or numbers[0] == 1):
        name = _FINAL[final]
    else:
        name = None
    if name is None or not 1 <= modifier <= 8 or len(numbers) > 2:
        return Key(UNKNOWN)
    bits = modifier - 1  # xterm: 1 + (1 Shift, 2 Alt, 4 Control)
    prefix = ("C-" if bits & 4 else "") + ("A-" if bits & 2 else "") + ("S-" if bits & 1 else "")
    return Key(prefix + name)
