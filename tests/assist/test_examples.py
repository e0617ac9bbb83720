"""The examples do what they say."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_offline_example_plays_a_stream_to_itself():
    program = subprocess.run(
        [sys.executable, EXAMPLES / "assist_offline.py"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert program.stderr == ""
    assert program.stdout.splitlines() == [
        "contact 506314056968 of 4602609 asks to stream TX",
        "cxone: StreamAccepted",
        "audio from sample 0: -9.2 dB",
        "audio from sample 4000: -9.2 dB",
        'sent: {"command":"MESSAGE","messageType":"TRANSCRIPT","message":"beep","parameters":{"final":true}}',
        "cxone: MessageReceived",
        "closed with 1000 after 1.00 s of audio",
    ]


@pytest.fixture
def webhook():
    """Run the webhook example, and give its address and its output."""
    environment = os.environ | {"ASSIST_WEBHOOK_TOKEN": "example"}
    command = [sys.executable, EXAMPLES / "assist_webhook.py", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            yield server.stdout.readline().split()[-1], server.stdout
        finally:
            server.terminate()


def post(url, token):
    body = {"contactId": 7, "busNo": 1, "participantId": "patron", "messageBody": "hello"}
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", "Authorization": token}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.status


def test_the_webhook_example_prints_what_the_contact_writes(webhook):
    url, output = webhook
    assert post(url, "Bearer example") == 204
    assert output.readline() == "contact 7: hello\n"
    with pytest.raises(urllib.error.HTTPError, match="401") as caught:
        post(url, "wrong")
    assert json.load(caught.value) == {"reason": "the authorization is missing or wrong"}
    caught.value.close()
