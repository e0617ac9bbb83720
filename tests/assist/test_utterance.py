"""The text webhook: T1, over the records, the application by itself, and a real server."""

import http.client
import io
import json
import threading
from wsgiref.handlers import SimpleHandler
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.validate import validator

import pytest

from cxone_assist import (
    AgentAssistUtteranceV1,
    LocalProtocolError,
    Participant,
    RemoteProtocolError,
    StaticTokens,
    WebHooksMessagesRequest,
    utterance_app,
)

UTTERANCE = {
    "contactId": 506314056968,
    "busNo": 4602609,
    "participantId": "patron",
    "messageBody": "my card does not work",
    "messageData": {"image": "https://example.com/a.png"},
    "agentAssistAppConfig": {"param1": "value1"},
}


class Reply:
    """What an application answered, and what it wrote to the error log."""

    def __init__(self, app, body, **environ):
        self.errors = io.StringIO()
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/utterance",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": self.errors,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        } | environ
        result = validator(app)(
            {key: value for key, value in environ.items() if value is not None},
            lambda status, headers, exc_info=None: setattr(self, "head", (status, dict(headers))),
        )
        self.chunks = list(result)
        self.body = b"".join(self.chunks)
        self.close = result.close

    @property
    def status(self):
        return int(self.head[0][:3])

    @property
    def reason(self):
        assert self.head[1]["Content-Type"] == "application/json"
        assert self.head[1]["Content-Length"] == str(len(self.body))
        return json.loads(self.body)["reason"]


def post(document=UTTERANCE, *, app=None, **environ):
    heard = []
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    reply = Reply(app or utterance_app(heard.append), body, **environ)
    assert heard == []
    reply.close()
    return reply, heard


# --- the records -------------------------------------------------------------------------------


def test_t1_both_spellings_of_the_message_data_are_read():
    meta = {key: value for key, value in UTTERANCE.items() if key != "messageData"}
    expected = WebHooksMessagesRequest.from_json(json.dumps(UTTERANCE))
    for key in ("messageMetaData", "MessageMetaData"):
        text = json.dumps(meta | {key: UTTERANCE["messageData"]})
        assert WebHooksMessagesRequest.from_json(text) == expected
    both = WebHooksMessagesRequest.from_json(json.dumps(UTTERANCE | {"messageMetaData": 1}))
    assert (both.message_data, both.extra) == (UTTERANCE["messageData"], {"messageMetaData": 1})


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("patron", Participant.PATRON),
        ("Agent", Participant.AGENT),
        ("SYSTEM", Participant.SYSTEM),
        ("bot", "bot"),
        (2, "2"),
        (None, None),
        ({}, None),
    ],
)
def test_t1_a_participant_is_one_of_three_or_the_text_that_came(sent, read):
    for record in (WebHooksMessagesRequest, AgentAssistUtteranceV1):
        assert record.from_json(json.dumps(UTTERANCE | {"participantId": sent})).participant_id == read


@pytest.mark.parametrize("sent", [506314056968, "506314056968"])
def test_t1_a_contact_id_is_a_number_or_its_text(sent):
    assert WebHooksMessagesRequest.from_json(json.dumps({"contactId": sent})).contact_id == 506314056968


@pytest.mark.parametrize(
    ("sent", "read"), [({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1}), ("config-17", "config-17"), (None, None)]
)
def test_t1_the_configuration_is_an_object_or_text_or_absent(sent, read):
    text = json.dumps({"agentAssistAppConfig": sent})
    assert WebHooksMessagesRequest.from_json(text).agent_assist_app_config == read


def test_t1_extra_keys_are_kept():
    text = json.dumps(UTTERANCE | {"tenantId": "t", "transcriptionSrNo": 4})
    assert WebHooksMessagesRequest.from_json(text).extra == {"tenantId": "t", "transcriptionSrNo": 4}
    assert AgentAssistUtteranceV1.from_json(text).tenant_id == "t"


def test_the_two_schemas_come_out_as_the_page_has_them():
    request = WebHooksMessagesRequest(
        authorization_header="Bearer x",
        contact_id=1,
        bus_no=2,
        participant_id=Participant.AGENT,
        message_body="hi",
        message_data={},
        agent_assist_app_config={"param1": "value1"},
    )
    assert request.to_json() == (
        '{"authorizationHeader":"Bearer x","contactId":1,"busNo":2,"participantId":"agent",'
        '"messageBody":"hi","messageData":{},"agentAssistAppConfig":{"param1":"value1"}}'
    )
    assert WebHooksMessagesRequest(contact_id=1).to_json() == '{"contactId":1}'
    utterance = AgentAssistUtteranceV1(
        contact_id=1,
        bus_no=2,
        tenant_id="t",
        participant_id="patron",
        message_body="hi",
        message_meta_data=[],
        agent_assist_app_config="id",
    )
    assert utterance.to_json() == (
        '{"contactId":1,"busNo":2,"tenantId":"t","participantId":"patron","messageBody":"hi",'
        '"messageMetaData":[],"agentAssistAppConfig":"id"}'
    )
    with pytest.raises(LocalProtocolError, match="contactId must be a 64-bit integer"):
        AgentAssistUtteranceV1(contact_id="1").to_json()
    with pytest.raises(RemoteProtocolError):
        AgentAssistUtteranceV1.from_json("[]")


def test_repr_shows_neither_the_words_nor_the_token():
    request = WebHooksMessagesRequest.from_json(json.dumps(UTTERANCE | {"authorizationHeader": "hush"}))
    shown = repr(request)
    assert "hush" not in shown
    assert "card" not in shown
    assert "example.com" not in shown
    assert "message_body=<21 characters>" in shown
    assert "message_body=None" in repr(WebHooksMessagesRequest())


# --- the application ---------------------------------------------------------------------------


def test_an_utterance_is_answered_with_204_and_handed_over():
    reply, heard = post()
    assert (reply.status, reply.body, reply.head[1]) == (204, b"", {})
    assert heard == [WebHooksMessagesRequest.from_json(json.dumps(UTTERANCE))]


def test_the_body_has_a_chunk_for_servers_that_send_the_headers_with_the_first():
    reply, _ = post()
    assert reply.chunks == [b""]


def test_t1_an_utterance_that_is_delivered_twice_is_handed_over_twice():
    heard = []
    app = utterance_app(heard.append)
    for _ in range(2):
        post(app=app)
    assert len(heard) == 2


def test_an_error_in_the_callback_goes_to_the_servers_error_log():
    def fail(utterance):
        raise RuntimeError("no database")

    reply, _ = post(app=utterance_app(fail))
    assert reply.status == 204
    assert "RuntimeError: no database" in reply.errors.getvalue()
    assert "card" not in reply.errors.getvalue()


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_only_post_is_answered(method):
    reply, heard = post(REQUEST_METHOD=method)
    assert (reply.status, reply.head[1]["Allow"], heard) == (405, "POST", [])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the text is not JSON: at character 0"),
        (b"{", "the text is not JSON: at character 1"),
        (b"[]", "the text is JSON, but not an object"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "the JSON is nested too deeply: at most 64 levels are read"),
        (b'{"messageBody":"\xff"}', "the body is not utf-8 text"),
    ],
)
def test_t1_a_body_that_is_no_utterance_is_refused(body, reason):
    reply, heard = post(body)
    assert (reply.status, reply.reason, heard) == (400, reason, [])


@pytest.mark.parametrize("length", ["", "x", "-1", "٣", None, "1" * 30 + "x", "1" * 5000])
def test_a_body_without_a_length_is_refused(length):
    reply, _ = post(CONTENT_LENGTH=length) if length is None else post_unvalidated(CONTENT_LENGTH=length)
    assert (reply.status, reply.reason) == (400, "the request has no valid Content-Length")


def post_unvalidated(document=UTTERANCE, **environ):
    """Send what wsgiref's validator does not let through."""
    app = utterance_app(lambda utterance: None)
    changed = environ
    inner = lambda environ, start_response: app(environ | changed, start_response)  # noqa: E731
    return post(document, app=inner)


def test_a_body_that_is_cut_short_is_refused():
    reply, heard = post(CONTENT_LENGTH="1000")
    assert (reply.status, reply.reason, heard) == (400, "the body is shorter than its Content-Length", [])


def test_a_chunked_body_is_read_where_the_server_ends_it():
    changed = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    heard = []
    app = utterance_app(heard.append, max_body=1000)
    wrapped = lambda environ, start_response: app(environ | changed, start_response)  # noqa: E731
    reply, _ = post(app=wrapped)
    assert (reply.status, len(heard)) == (204, 1)
    reply, _ = post({"messageBody": "x" * 1000}, app=wrapped)
    assert (reply.status, len(heard)) == (413, 1)


@pytest.mark.parametrize(("size", "status"), [(1000, 204), (1001, 413)])
def test_t1_a_body_beyond_the_limit_is_refused_unread(size, status):
    body = b'{"a":"' + b"x" * (size - 8) + b'"}'
    reply, _ = post(body, app=utterance_app(lambda utterance: None, max_body=1000))
    assert reply.status == status
    if status == 413:
        assert reply.reason == "at most 1000 bytes are read"


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 204),
        ("Application/JSON; charset=UTF-8", 204),
        ('application/json; charset="utf-8"; v=1', 204),
        ("application/json; v=1; charset=us-ascii", 204),
        ("text/json", 204),
        ("application/vnd.api+json", 204),
        (None, 204),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/json; charset=punycode", 415),
    ],
)
def test_t1_only_json_is_read(content_type, status):
    reply, _ = post(CONTENT_TYPE=content_type)
    assert reply.status == status
    assert status == 204 or reply.reason


def test_every_refusal_goes_out_through_a_server_that_keeps_to_the_standard():
    """PEP 3333 leaves headers of the connection to the server, and some servers insist on it."""
    for changed, status in (
        ({"CONTENT_LENGTH": "9"}, b"413 Content Too Large"),
        ({"REQUEST_METHOD": "GET"}, b"405 Method Not Allowed"),
        ({"CONTENT_LENGTH": ""}, b"400 Bad Request"),
    ):
        environ = {"REQUEST_METHOD": "POST", "SERVER_PROTOCOL": "HTTP/1.1", **changed}
        answer = io.BytesIO()
        handler = SimpleHandler(io.BytesIO(b"{}       "), answer, io.StringIO(), environ)
        handler.run(utterance_app(print, max_body=8))
        assert status in answer.getvalue().splitlines()[0]


def test_a_content_encoding_is_not_read():
    reply, _ = post(HTTP_CONTENT_ENCODING="gzip")
    assert (reply.status, reply.reason) == (415, "a content encoding is not read")
    assert post(HTTP_CONTENT_ENCODING="Identity")[0].status == 204


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [
        ("; charset=utf-16", "utf-16"),
        ("; charset=iso-8859-1", "latin-1"),
        ("", "utf-16"),
        ("", "utf-8-sig"),
        ("", "utf-8"),
    ],
)
def test_t1_the_character_set_is_the_one_named_or_the_one_that_shows(charset, encoding):
    body = '{"messageBody":"Größe"}'.encode(encoding)
    _, heard = post(body, CONTENT_TYPE=f"application/json{charset}")
    assert heard[0].message_body == "Größe"


@pytest.mark.parametrize(
    ("header", "in_body", "status"),
    [
        ("Bearer good", None, 204),
        (None, "good", 204),
        ("good", "bad", 204),
        ("bad", "good", 204),
        ("bad", None, 401),
        (None, "bad", 401),
        (None, None, 401),
        ("", "", 401),
    ],
)
def test_t1_the_authorization_is_in_the_header_or_in_the_body(header, in_body, status):
    heard = []
    app = utterance_app(heard.append, authenticate=StaticTokens("good").matches)
    reply, _ = post(UTTERANCE | {"authorizationHeader": in_body}, app=app, HTTP_AUTHORIZATION=header)
    assert (reply.status, len(heard)) == (status, int(status == 204))
    if status == 401:
        assert reply.head[1]["WWW-Authenticate"] == "Bearer"
        assert reply.reason == "the authorization is missing or wrong"


def test_an_authenticator_that_raises_or_answers_other_than_true_lets_nobody_in():
    def fail(token):
        raise RuntimeError("no directory")

    reply, _ = post(app=utterance_app(print, authenticate=fail))
    assert reply.status == 401
    assert "no directory" in reply.errors.getvalue()
    assert post(app=utterance_app(print, authenticate=lambda token: 1))[0].status == 401


def test_the_answer_reaches_the_client_while_the_callback_still_works():
    answered, done = threading.Event(), threading.Event()

    def slow(utterance):
        if answered.wait(10):
            done.set()

    class Quiet(WSGIRequestHandler):
        def log_message(self, *args):
            pass

    with WSGIServer(("127.0.0.1", 0), Quiet) as server:
        server.set_app(utterance_app(slow))
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        client.request("POST", "/", json.dumps(UTTERANCE), {"Content-Type": "application/json"})
        assert client.getresponse().status == 204
        assert not done.is_set()
        answered.set()
        thread.join(10)
        client.close()
    assert done.is_set()
