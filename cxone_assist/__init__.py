"""The receiving side of CXone's Custom Agent Assist: not built yet.

This package will hold the audio websocket protocol, the G.711 µ-law codec, the
text webhook and the agent tunnel. Today it holds only this text.
"""
