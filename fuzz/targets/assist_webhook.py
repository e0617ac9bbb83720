"""The text webhook: any request has one of the documented answers. Four lines of headers, then the body.

Content-Type, Content-Length (a blank line: that of the body; "-": a chunked one), Content-Encoding,
Authorization.
"""

import io
import json
from wsgiref.util import setup_testing_defaults

from cxone_assist import StaticTokens, WebHooksMessagesRequest, utterance_app

HEADERS = ("CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_CONTENT_ENCODING", "HTTP_AUTHORIZATION")
STATUSES = {"204", "400", "401", "413", "415"}
heard: list[WebHooksMessagesRequest] = []
app = utterance_app(heard.append, authenticate=StaticTokens("s3cret-q7Xk").matches, max_body=4096)


def fuzz_one(data: bytes) -> None:
    """Post the body."""
    *lines, body = data.split(b"\n", len(HEADERS))
    environ: dict[str, object] = {}
    setup_testing_defaults(environ)
    errors = io.StringIO()
    environ |= {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(body), "wsgi.errors": errors}
    environ |= {name: line.decode("latin-1") for name, line in zip(HEADERS, lines, strict=False) if line}
    environ.setdefault("CONTENT_LENGTH", str(len(body)))
    if environ["CONTENT_LENGTH"] == "-":
        environ |= {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    statuses: list[str] = []
    heard.clear()

    def start_response(status: str, _headers: object, _failure: object = None) -> None:
        statuses.append(status)

    answer = app(environ, start_response)  # type: ignore[arg-type] # as a server calls it
    content = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    (status,) = statuses
    assert status[:3] in STATUSES, status
    assert len(heard) == (status[:3] == "204")
    assert (content == b"") is (status[:3] == "204")
    assert content == b"" or json.loads(content)["reason"]
    assert errors.getvalue() == "", errors.getvalue()
