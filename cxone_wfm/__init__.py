"""Push a third-party ACD's data into NICE CXone WFM."""

__version__ = "0.1.0"
