"""One audio stream without a network: a handshake, some speech, a message back, and the end.

The two connections stand for the two ends of a websocket; what one returns, the other is fed.
"""

import hmac

from cxone_assist import (
    AssistConnection,
    AudioReceived,
    AuthenticationFailed,
    PlatformConnection,
    ProtocolViolation,
    StreamRequested,
    TextReceived,
    mulaw,
)
from cxone_assist.testing import audio_frames, init_message, tone

TOKEN = "an example, not a secret"  # noqa: S105
HALF_A_SECOND = mulaw.SAMPLE_RATE // 2


def main() -> None:
    """Play a second of a tone to ourselves, and print what comes out."""
    cxone = PlatformConnection()
    assist = AssistConnection(
        authenticate=lambda init: hmac.compare_digest(init.authentication_token, TOKEN),
    )
    messages: list[str | bytes] = [cxone.connect(init_message(authentication_token=TOKEN))]
    for message in messages:
        event = assist.receive(message)
        match event:
            case StreamRequested():
                info, perspective = event.init.execution_info, event.init.stream_perspective
                print(f"contact {info.contact_id} of {info.bus_no} asks to stream {perspective}")
                print("cxone:", type(cxone.receive(assist.accept())).__name__)
                messages += [cxone.send_audio(frame) for frame in audio_frames(tone(1.0))]
            case AudioReceived():
                if event.position % HALF_A_SECOND == 0:
                    print(f"audio from sample {event.position}: {mulaw.level(event.payload):.1f} dB")
            case TextReceived():
                print("text:", event.data)
            case AuthenticationFailed() | ProtocolViolation():
                print("not taken:", event)
    reply = assist.send_message("TRANSCRIPT", "beep", parameters={"final": True})
    print("sent:", reply)
    print("cxone:", type(cxone.receive(reply)).__name__)
    closed = assist.closed(1000)
    print(f"closed with {closed.code} after {closed.position / mulaw.SAMPLE_RATE:.2f} s of audio")


if __name__ == "__main__":
    main()
