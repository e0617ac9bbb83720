"""Static tokens."""

import hmac

import pytest

from cxone_assist import StaticTokens, auth
from cxone_assist.testing import init_message


@pytest.mark.parametrize("tokens", [(), ("",), ("good", " "), ("Bearer ",)])
def test_an_empty_token_would_let_everybody_in_and_is_refused(tokens):
    with pytest.raises(ValueError, match="at least one token, and none may be empty"):
        StaticTokens(*tokens)


@pytest.mark.parametrize("token", ["old", "new", "Bearer new", "BEARER old"])
def test_each_of_several_tokens_is_accepted_with_and_without_bearer(token):
    tokens = StaticTokens("old", "Bearer new")
    assert tokens.matches(token)
    assert tokens(init_message(authentication_token=token))


@pytest.mark.parametrize("token", ["", "ol", "older", "Basic old", "Bearerold", "öld", "\udcff"])
def test_another_token_is_not(token):
    assert not StaticTokens("old", "new").matches(token)


def test_a_token_that_is_not_ascii_can_be_accepted():
    assert StaticTokens("schlüssel").matches("schlüssel")


def test_every_token_is_compared_in_constant_time_even_after_a_match(monkeypatch):
    compared = []

    def compare_digest(a, b):
        compared.append(b)
        return hmac.compare_digest(a, b)

    monkeypatch.setattr(auth, "hmac", type("Hmac", (), {"compare_digest": staticmethod(compare_digest)}))
    assert StaticTokens("first", "second").matches("first")
    assert compared == [b"first", b"second"]


def test_tokens_are_not_shown():
    assert "hush" not in repr(StaticTokens("hush"))
