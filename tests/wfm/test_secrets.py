"""The promises of `cxone_wfm.secrets`: a secret is used, and never shown."""

import copy
import json
import pickle

import pytest

from cxone_wfm.secrets import Secret

CANARY = "canary-7d1f"


def test_the_text_comes_out_of_reveal_alone():
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>40}",
        f"{[secret]}",
    ]
    assert not any(CANARY in text for text in shown)


def test_two_secrets_are_told_apart_in_a_log_and_the_same_one_is_recognised():
    shown = {repr(Secret(f"{CANARY}-{i}")) for i in range(20)}
    assert len(shown) > 15
    assert repr(Secret(CANARY)) == repr(Secret(CANARY))
    assert all(len(text) == len("Secret(***abcd)") for text in shown)


def test_format_pads_what_is_shown():
    assert f"{Secret(CANARY):>20}" == repr(Secret(CANARY)).rjust(20)


def test_secrets_are_equal_by_text_and_to_nothing_else():
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert len({Secret(CANARY), Secret(CANARY), Secret("other")}) == 2


def test_text_beyond_ascii_and_lone_surrogates_can_be_compared_and_shown():
    assert Secret("é\ud800") == Secret("é\ud800")
    assert "Secret(***" in repr(Secret("é\ud800"))


def test_an_empty_secret_is_false():
    assert not Secret("")
    assert Secret(" ")


@pytest.mark.parametrize("value", [None, b"bytes", 5, ["canary"]])
def test_only_text_can_be_a_secret_and_the_error_does_not_show_it(value):
    with pytest.raises(TypeError) as caught:
        Secret(value)
    assert str(caught.value) == f"a secret is a str, not {type(value).__name__}"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_cannot_be_pickled(protocol):
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        pickle.dumps({"key": Secret(CANARY)}, protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_secret_cannot_be_copied(duplicate):
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        duplicate(Secret(CANARY))


def test_a_secret_cannot_be_written_as_json_nor_listed_by_vars():
    with pytest.raises(TypeError) as caught:
        json.dumps(Secret(CANARY))
    assert CANARY not in str(caught.value)
    with pytest.raises(TypeError):
        vars(Secret(CANARY))
