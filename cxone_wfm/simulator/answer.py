"""One HTTP answer as data."""

import json
from http import HTTPStatus

from attrs import frozen

JSON = "application/json"
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


@frozen(kw_only=True)
class Answer:
    """What the simulator answers: status, body and headers. The length is not among the headers."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()

    def status_line(self) -> str:
        """Such as "404 Not Found"; a status without a name of its own stands alone."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} "

    def all_headers(self) -> list[tuple[str, str]]:
        """The headers with type and length of the body, where the status allows a body."""
        if self.status in BODILESS:
            return list(self.headers)
        kind = [("Content-Type", self.content_type)] if self.body else []
        return [*kind, ("Content-Length", str(len(self.body))), *self.headers]

    def head(self) -> bytes:
        """Status line and headers as they stand on the wire, where the connection ends with the answer."""
        headers = [*self.all_headers(), ("Connection", "close")]
        lines = [f"HTTP/1.1 {self.status_line()}", *(f"{name}: {value}" for name, value in headers)]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


class RefusedError(Exception):
    """The request is not taken; `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refusal(status: int, error: str, message: str, *headers: tuple[str, str], **more: object) -> Answer:
    """An answer that says no, as JSON: `{"error": ..., "message": ...}` and what more there is to say."""
    document = {"error": error, "message": message, **more}
    return Answer(status=status, body=json.dumps(document).encode(), headers=headers)
