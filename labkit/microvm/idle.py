"""A machine that nobody asks for anything is stopped, as Ctrl-Z stops a program, and goes on with the next request.

An emulated machine is never quite idle: its kernel looks at its clock some hundred times a second, and that has to be
emulated. In a shared place that is somebody else's processor, and a battery on a laptop. So after a while in which no
byte came or went and little was computed, the kernel of the machine is sent SIGSTOP; the first event on any socket
brings SIGCONT. All that is in it stays; its clock is that of the host, so it finds that time has passed.

Left out: memory, which it keeps.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field

from labkit.microvm.boot import Guest, cpu_seconds

SECONDS = 600.0  # without a request
BUSY = 0.25  # of a processor: somebody's container computes


@dataclass
class Idle:
    """Watches one guest; `check` is to be called after each turn of its relay."""

    guest: Guest
    seconds: float = SECONDS
    stopped: bool = False
    _events: int = -1
    _cpu: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    @property
    def patience(self) -> float:
        """How long a turn of the relay may take before the next check, in seconds."""
        return self.seconds / 2

    def check(self) -> None:
        """Let the machine go on if something happened; stop it if nothing has for long enough."""
        if self.guest.relay.events != self._events:
            self._wake()
        elif not self.stopped and time.monotonic() - self._since >= self.seconds:
            self._stop_unless_busy()

    def _wake(self) -> None:
        if self.stopped:
            self._signal(signal.SIGCONT)
        self.stopped, self._events = False, self.guest.relay.events
        self._look_again()

    def _stop_unless_busy(self) -> None:
        used = cpu_seconds(self.guest.kept.session) - self._cpu
        if used < BUSY * (time.monotonic() - self._since):
            self._signal(signal.SIGSTOP)
            self.stopped = True
        self._look_again()

    def _look_again(self) -> None:
        self._since = time.monotonic()
        self._cpu = cpu_seconds(self.guest.kept.session)

    def _signal(self, signum: signal.Signals) -> None:
        """To the first process only. With user-mode Linux that is the kernel: the guest's programs are processes that
        it traces, and a signal to one of those it would take for the program's own."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.guest.kept.session, signum)
