"""Random and mutated messages into both connections: only defined events come out."""

import contextlib
import copy
import json
import random
from typing import get_args

from support import assist_wire

from cxone_assist import (
    AssistConnection,
    AssistEvent,
    LocalProtocolError,
    PlatformConnection,
    PlatformEvent,
    ProtocolViolation,
    State,
    StaticTokens,
)
from cxone_assist.testing import init_message, negotiated_init

SEEDS = [
    json.dumps(assist_wire.PAGE_INIT),
    json.dumps(assist_wire.NEGOTIATED_INIT),
    assist_wire.init(),
    assist_wire.init(appParams='{"a":\r\n"b"}', appConfig="{broken", streamPerspective=1),
    json.dumps(assist_wire.NEGOTIATED_CONNECTED),
    assist_wire.CONNECTED,
    '{"command":"MESSAGE","messageType":"TRANSCRIPT","message":"hello","parameters":{"a":[1,2.5,null,true]}}',
    '{"command":"ERROR","messageType":"COMMAND","message":"no"}',
    '{"eof":1}',
    json.dumps(assist_wire.NEGOTIATED_INIT | {"minimumVersion": 2, "maximumVersion": 3}),
]
AS_THEY_ARE = [*SEEDS, "[1]", assist_wire.nested(70), "x" * 70_000, bytes(70_000)]
VALUES = [
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**64,
    1.5,
    1e308,
    "",
    "0",
    "x" * 300,
    "\ud800",
    "\0",
    "}",
    [],
    {},
    [[]],
    {"": {}},
]
SNIPPETS = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "null",
    "NaN",
    "1e999",
    "\\u",
    "\\ud83d",
    "\r\n",
    "\ufeff",
    "0" * 50,
    "[" * 80,
]

ENDED = (State.ENDING, State.CLOSED)


def messages(count, seed):
    """Yield messages, the same ones for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        kind = rng.random()
        if kind < 0.15:
            yield rng.randbytes(rng.choice((0, 1, 159, 160, 161, 320)))
        elif kind < 0.2:
            yield "".join(map(chr, (rng.randrange(0x3000) for _ in range(rng.randrange(40)))))
        elif kind < 0.3:
            yield rng.choice(AS_THEY_ARE)
        elif kind < 0.6:
            yield _other_values(rng, rng.choice(SEEDS))
        else:
            yield _other_text(rng, rng.choice(SEEDS))


def _other_values(rng, text):
    document = json.loads(text)
    for _ in range(rng.randrange(1, 4)):
        place = document
        while True:
            key = rng.choice([*place, "new"])
            if not isinstance(place.get(key), dict) or not place[key] or rng.random() < 0.3:
                break
            place = place[key]
        if rng.random() < 0.2:
            place.pop(key, None)
        else:
            place[key] = copy.deepcopy(rng.choice(VALUES))
    return json.dumps(document, ensure_ascii=rng.random() < 0.5)


def _other_text(rng, text):
    for _ in range(rng.randrange(1, 5)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 0, 1, 1, 5, 50)))
        replacement = rng.choice(
            (rng.choice(SNIPPETS), chr(rng.randrange(1, 0x500)), "", text[end : end + 30])
        )
        text = text[:start] + replacement + text[end:]
    return text


def run(count, seed):
    """Feed ``count`` messages to each side, and return how often each kind of event came.

    Raises:
        AssertionError: something that is no event came out.
    """
    rng = random.Random(seed + 1)
    tokens = StaticTokens("s3cret")
    counts = {}
    assist, platform = AssistConnection(), PlatformConnection()
    for message in messages(count, seed):
        if assist.state in ENDED and rng.random() < 0.5:
            assist = AssistConnection(authenticate=tokens if rng.random() < 0.3 else None)
            if rng.random() < 0.5:
                assist.receive(assist_wire.init())
        if rng.random() < 0.1:
            platform = PlatformConnection()
            platform.connect(init_message() if rng.random() < 0.5 else negotiated_init())
        for connection, union in ((assist, AssistEvent), (platform, PlatformEvent)):
            event = connection.receive(message)
            assert isinstance(event, get_args(union)), event
            assert "s3cret" not in repr(event), event
            if isinstance(event, ProtocolViolation):
                name = event.error.fault.name
                assert event.reply is None or json.loads(event.reply)
                assert event.close_code in (None, 1008, 1009)
            else:
                name = type(event).__name__
            counts[name] = counts.get(name, 0) + 1
        with contextlib.suppress(LocalProtocolError):
            rng.choice((list, list, list, assist.accept, assist.reject, assist.closed))()
    return counts
