"""Wire texts written down independently of the code under test."""

import json

CONNECTED = '{"command":"CONNECTED","messageType":"COMMAND","message":"BEGIN AUDIO STREAM"}'

# The vendor page's sample, with its own placeholders.
PAGE_INIT = {
    "authenticationToken": "[header provided in Custom Agent Assist app]",
    "executionInfo": {
        "contactId": 0,
        "busNo": 0,
        "requestId": 0,
        "actionType": "string",
        "actionId": 0,
        "scriptName": "string",
    },
    "systemTelemetryData": {
        "consumerProcessHost": "string",
        "consumerProcessName": "string",
        "consumerProcessVersion": "string",
        "inContactClusterAlias": "string",
        "inContactScriptEngineHost": "string",
        "consumerMetaData": {
            "additionalProp1": "string",
            "additionalProp2": "string",
            "additionalProp3": "string",
        },
    },
    "streamPerspective": "TX/RX/MIX",
    "streamsConfiguration": "string",
    "appParams": "string",
    "appConfig": "string",
}

# A media server's initialize message of the negotiated dialect, as observed.
NEGOTIATED_INIT = {
    "authenticationToken": "",
    "executionInfo": {
        "contactId": 510212552349954,
        "busNo": 4602609,
        "requestId": 6,
        "actionType": "WebSocketRelay",
        "actionId": 6,
        "scriptName": "DEV\\CH - 01 - Agent Assist",
    },
    "systemTelemetryData": {
        "consumerProcessHost": "AOA-C32COR01",
        "consumerProcessName": "EsnMediaServer",
        "consumerProcessVersion": "5.1.1.1",
        "consumerMetaData": None,
    },
    "streamPerspective": "TX_RELAY",
    "streamsConfiguration": None,
    "appParams": {},
    "appConfig": {},
    "minimumVersion": 0,
    "maximumVersion": 1,
    "capabilities": ["UTTERANCE_DETECT"],
    "requiredCapabilities": [],
    "format": "MONO",
}

NEGOTIATED_CONNECTED = {
    "Message": "BEGIN AUDIO STREAM",
    "MessageType": "COMMAND",
    "ProtocolVersion": 1,
    "Format": "MONO",
    "AgreedCapabilities": ["UTTERANCE_DETECT"],
    "Parameters": {},
}


def init(**keys):
    """Return an ordinary documented initialize text, with top-level keys replaced or added."""
    document = {
        "authenticationToken": "s3cret",
        "executionInfo": {"contactId": 506314056968, "busNo": 4602609},
        "systemTelemetryData": {},
        "streamPerspective": "TX",
    }
    return json.dumps(document | keys)


def nested(depth):
    """Return a JSON text of an object that is ``depth`` levels deep."""
    return '{"executionInfo":' + '{"a":' * (depth - 1) + "1" + "}" * depth
