"""What a message costs in the protocol, in nanoseconds: the best of several rounds."""

import timeit

from cxone_assist import AssistConnection
from cxone_assist.testing import connected_pair, init_message, negotiated_init


def nanoseconds(statement: str, **names) -> float:
    """Return the time of one run of a statement."""
    timer = timeit.Timer(statement, globals=names)
    number, _ = timer.autorange()
    return 1e9 * min(timer.repeat(7, max(1, number // 4))) / max(1, number // 4)


def handshake(text: str) -> str:
    """Accept one stream."""
    connection = AssistConnection()
    connection.receive(text)
    return connection.accept()


def nothing(_payload: bytes, _position: int) -> None:
    """Stand for the application."""


def main() -> None:
    """Print a row for each measurement."""
    _, assist = connected_pair()
    frame = bytes(160)
    event = nanoseconds("receive(frame)", receive=assist.receive, frame=frame)
    print(f"receive(), audio        {event:8.0f} ns (goal: at most 500)")
    names = {"receive": assist.receive_audio, "frame": frame, "on_audio": nothing}
    hot = nanoseconds("receive(frame, on_audio)", **names)
    print(f"receive_audio()         {hot:8.0f} ns, the empty callback included (goal: at most 250)")
    print(f"event / no event        {event / hot:8.1f}")
    for init in (init_message(), negotiated_init()):
        cost = nanoseconds("handshake(text)", handshake=handshake, text=init.to_json())
        print(f"handshake, {init.dialect.value:<12} {cost:8.0f} ns")
    message = nanoseconds("send('TRANSCRIPT', 'hello', parameters={'a': 1})", send=assist.send_message)
    print(f"send_message()          {message:8.0f} ns")


if __name__ == "__main__":
    main()
