"""A telephone line whose truth is known: what was said when, and how it arrives."""

import heapq
import random
from itertools import count

from cxone_assist import StreamPerspective
from cxone_assist.call_events import AudioPlaced, CallEnded, StreamAttached
from cxone_assist.testing import init_message

RATE = 8000
PACKET = 160
SECONDS = PACKET / RATE


class Side:
    """One side of a call: a sequence of sockets, each with its packets.

    Times are seconds of the call. A packet is named by its number on the grid of the whole call, so
    ``packet * 160`` is the sample where it truly belongs.
    """

    def __init__(self, perspective, *, seed, jitter=0.003, delay=0.040, skew=0.0):
        self.perspective = perspective
        self.random = random.Random(seed)
        self.jitter = jitter
        self.delay = delay
        self.skew = skew
        self.sockets = []  # (opens, closes, [packets])
        self.stalls = []  # (from, to): what is sent between them arrives at the end
        self.lost = set()

    def talk(self, start, end):
        """Open a socket at ``start`` and close it at ``end``."""
        self.sockets.append((start, end, range(round(start / SECONDS), round(end / SECONDS))))
        return self

    def hush(self, start, end):
        """Send nothing in between, on an open socket."""
        self.lost.update(range(round(start / SECONDS), round(end / SECONDS)))
        return self

    def lose(self, at, packets=1):
        """Leave packets out."""
        first = round(at / SECONDS)
        self.lost.update(range(first, first + packets))
        return self

    def stall(self, at, seconds):
        """Hold up what is sent from ``at`` on for some seconds."""
        self.stalls.append((at, at + seconds))
        return self

    def arrivals(self):
        """Yield (time, action, socket, packet) in order; the actions are open, packet, close."""
        for socket, (opens, closes, packets) in enumerate(self.sockets):
            yield opens, "open", (self.perspective, socket), None
            latest = opens
            for packet in packets:
                if packet in self.lost:
                    continue
                sent = (packet + 1) * SECONDS * (1 + self.skew)
                arrival = sent + self.delay + self.random.expovariate(1 / self.jitter)
                for start, end in self.stalls:
                    if start <= sent + self.delay < end:
                        arrival = max(arrival, end)
                latest = max(latest, arrival)  # a socket keeps the order
                yield latest, "packet", (self.perspective, socket), packet
            yield (
                max(latest, closes * (1 + self.skew) + self.delay),
                "close",
                (self.perspective, socket),
                None,
            )


def play(assembler, *sides, observe=None, **ids):
    """Play sides into an assembler; yield each event, and tell ``observe`` of every packet."""
    payload = bytes(PACKET)
    order = count()
    lines = heapq.merge(
        *([(*step[:1], next(order), *step[1:]) for step in side.arrivals()] for side in sides)
    )
    now = 0.0
    for now, _, action, socket, packet in lines:
        while (deadline := assembler.next_deadline()) is not None and deadline <= now:
            yield from assembler.tick(deadline)
        if action == "open":
            yield from assembler.stream_started(
                socket, init_message(stream_perspective=socket[0], **ids), now
            )
        elif action == "close":
            yield from assembler.stream_closed(socket, now)
        else:
            if observe is not None:
                observe(socket, packet)
            yield from assembler.audio(socket, payload, now)
    while (deadline := assembler.next_deadline()) is not None:
        yield from assembler.tick(deadline)


class Judge:
    """Compares where packets were placed with where they belong."""

    def __init__(self):
        self.packets = {}  # socket -> packets that arrived, in order
        self.done = {}  # socket -> packets that were placed
        self.errors = {}  # perspective -> {packet: error in samples}
        self.samples = None
        self.events = []

    def sent(self, socket, packet):
        self.packets.setdefault(socket, []).append(packet)

    def take(self, event):
        if isinstance(event, StreamAttached):
            self.done[event.stream_id] = 0
        elif isinstance(event, AudioPlaced):
            first = self.done[event.stream_id]
            number, rest = divmod(len(event.payload), PACKET)
            assert rest == 0
            packets = self.packets[event.stream_id][first : first + number]
            self.done[event.stream_id] += number
            errors = self.errors.setdefault(event.perspective, {})
            for index, packet in enumerate(packets):
                errors[packet] = event.position + index * PACKET - packet * PACKET
        else:
            if isinstance(event, CallEnded):
                self.samples = event.samples
            self.events.append(event)

    def misalignment(self):
        """Return the worst distance between the two sides, in milliseconds."""
        contact = self.errors[StreamPerspective.TX]
        agent = self.errors[StreamPerspective.RX]
        both = contact.keys() & agent.keys()
        return max(abs(contact[packet] - agent[packet]) for packet in both) * 1000 / RATE

    def placed(self):
        """Return whether every packet that arrived was placed."""
        return all(self.done[socket] == len(packets) for socket, packets in self.packets.items())


def judge(assembler, *sides):
    """Play sides into an assembler, and return the judge."""
    verdict = Judge()
    for event in play(assembler, *sides, observe=verdict.sent):
        verdict.take(event)
    return verdict
