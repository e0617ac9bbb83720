"""Records of Custom Agent Assist: a text is read or refused, and what was read survives being sent on.

The first byte chooses the record, "A" the first one; the rest is the text.
"""

from cxone_assist import (
    AgentAssistUtteranceV1,
    CXoneWebSocketMessage,
    RemoteProtocolError,
    WebHooksMessagesRequest,
    WebSocketHookInitializeMessage,
)

Record = (
    WebSocketHookInitializeMessage | CXoneWebSocketMessage | WebHooksMessagesRequest | AgentAssistUtteranceV1
)
RECORDS: list[type[Record]] = [
    WebSocketHookInitializeMessage,
    CXoneWebSocketMessage,
    WebHooksMessagesRequest,
    AgentAssistUtteranceV1,
]


def fuzz_one(data: bytes) -> None:
    """Read a text as a record, write it, and read it again."""
    record = RECORDS[(data[0] - ord("A")) % len(RECORDS)] if data else RECORDS[0]
    try:
        read = record.from_json(data[1:])
    except RemoteProtocolError as error:
        assert str(error)
        return
    assert record.from_json(read.to_json()) == read, "the record reads back as another one"
