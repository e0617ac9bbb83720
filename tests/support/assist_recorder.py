"""A program that records a call until it is killed: python -m support.assist_recorder DIRECTORY."""

import sys
import time

from cxone_assist import StreamPerspective
from cxone_assist.calls import CallAssembler
from cxone_assist.recording import Recorder
from cxone_assist.testing import init_message

FRAME = bytes(range(160))


def main():
    assembler = CallAssembler(place_audio=True)
    recorder = Recorder(sys.argv[1])
    recorder.start()
    sides = (StreamPerspective.TX, StreamPerspective.RX)
    for side in sides:
        for event in assembler.stream_started(side, init_message(stream_perspective=side), 0.0):
            recorder.handle(event)
    for index in range(1, 1000000):
        for side in sides:
            for event in assembler.audio(side, FRAME, index * 0.02):
                recorder.handle(event)
        if index % 50 == 0:
            sys.stdout.write(f"{index}\n")
            sys.stdout.flush()
            time.sleep(0.001)


if __name__ == "__main__":
    main()
