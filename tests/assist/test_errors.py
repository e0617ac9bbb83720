"""The errors say whose fault it is, and are never without a message."""

import pickle

import pytest

from cxone_assist import AssistError, Fault, LocalProtocolError, ProtocolError, RemoteProtocolError


def test_the_tree_is_the_one_that_the_module_draws():
    assert LocalProtocolError.__bases__ == RemoteProtocolError.__bases__ == (ProtocolError,)
    assert ProtocolError.__bases__ == (AssistError,)


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_message_and_may_have_a_detail(fault):
    assert str(RemoteProtocolError(fault)) == fault.value != ""
    assert str(RemoteProtocolError(fault, "more")) == f"{fault.value}: more"


def test_an_error_survives_pickling():
    error = pickle.loads(pickle.dumps(RemoteProtocolError(Fault.TOO_DEEP, "more")))
    assert (error.fault, error.detail) == (Fault.TOO_DEEP, "more")
