"""Whatever a peer sends: only defined events, and memory that stays flat."""

import gc
import json
import tracemalloc
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assist_fuzz, assist_wire

from cxone_assist import (
    AssistConnection,
    AssistEvent,
    Fault,
    PlatformConnection,
    PlatformEvent,
    WebHooksMessagesRequest,
    WebSocketHookInitializeMessage,
)
from cxone_assist.testing import init_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
KEYS = st.sampled_from([*assist_wire.PAGE_INIT, *assist_wire.NEGOTIATED_INIT, "new"])
SMALL = settings(max_examples=150, deadline=None)


@SMALL
@given(st.lists(st.text(max_size=200) | st.binary(max_size=400), max_size=8))
def test_any_messages_give_defined_events(messages):
    assist, platform = AssistConnection(), PlatformConnection()
    platform.connect(init_message())
    for message in messages:
        assert isinstance(assist.receive(message), get_args(AssistEvent))
        assert isinstance(platform.receive(message), get_args(PlatformEvent))


@SMALL
@given(st.dictionaries(KEYS, JSON, min_size=1))
def test_any_values_in_an_initialize_message_are_read_and_written_again(keys):
    init = WebSocketHookInitializeMessage.from_json(assist_wire.init(**keys))
    assert WebSocketHookInitializeMessage.from_json(init.to_json()) == init


@SMALL
@given(
    st.dictionaries(st.sampled_from(["contactId", "participantId", "messageData", "messageMetaData"]), JSON)
)
def test_any_values_in_an_utterance_are_read_and_written_again(document):
    request = WebHooksMessagesRequest.from_json(json.dumps(document))
    assert WebHooksMessagesRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize("seed", [1, 2])
def test_random_and_mutated_messages_give_every_kind_of_event_and_no_other(seed):
    counts = assist_fuzz.run(4000, seed)
    expected = {"StreamRequested", "AuthenticationFailed", "AudioReceived", "TextReceived", "StreamAccepted",
                "StreamRefused", "MessageReceived"}  # fmt: skip
    faults = {fault.name for fault in Fault} - {"NO_MESSAGE_IN_TIME"}
    assert set(counts) == expected | faults


def test_memory_stays_flat():
    assist_fuzz.run(500, 3)  # whatever is built once is built now
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for seed in range(4):
            assist_fuzz.run(500, seed)
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000
    assert peak - before < 2_000_000


def test_one_connection_holds_no_more_after_many_messages():
    assist = AssistConnection()
    assist.receive(assist_wire.init())
    assist.accept()
    messages = (bytes(160), assist_wire.init(), "text", '{"eof":1}')
    sizes = []
    tracemalloc.start()
    try:
        for _ in range(2):
            for message in messages * 1000:
                assist.receive(message)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 1_000
