"""What is recognised as a secret, what is left alone, and that the fast search misses nothing."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.reducer import SecretRules

RULES = SecretRules([])
TOKENS = [
    "sk-ant-api03-AbCdEf0123456789_-x",
    "sk-proj-0123456789abcdefghij",
    "sk_live_0123456789abcdefghij",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "gho_0123456789abcdefghijABCDEFGHIJ012345",
    "github_pat_0123456789abcdefghij_0123456789",
    "glpat-0123456789abcdefghij",
    "hf_abcdefghijklmnopqrstuvwxyzABCD",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "xoxb-0123456789-abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_recognised_wherever_it_stands(token: str) -> None:
    assert RULES.text(f"it is {token}, truly") == "it is [redacted], truly"
    assert RULES.text(f'{{"key":"{token}"}}') == '{"key":"[redacted]"}'
    assert RULES.text(token) == "[redacted]"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Authorization: Bearer abc123def456", "Authorization: Bearer [redacted]"),
        ("authorization: bearer abc123def456", "authorization: bearer [redacted]"),
        ("https://host/?key=abcdefgh12&x=1", "https://host/?key=[redacted]&x=1"),
        (
            "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nb",
            "a\n[redacted]\nb",
        ),
        ("-----BEGIN PRIVATE KEY-----\\nMIIE and no end", "[redacted]"),
    ],
)
def test_a_secret_is_told_by_what_stands_before_it(text: str, redacted: str) -> None:
    assert RULES.text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        *["sk-learn", "task-force-1234567890", "ghp_short", "the bearer authentication scheme"],
        *[
            "-----BEGIN CERTIFICATE-----\nMIIE",
            "-----BEGIN PUBLIC KEY-----",
            "AKIA",
            "key=abcdefgh",
        ],
        *["", "größe 寸 \udc80", "a" * 5000],
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert RULES.text(text) is text


@pytest.mark.parametrize(
    "name",
    [
        *["OPENAI_API_KEY", "GITHUB_TOKEN", "client_secret", "PGPASSWORD", "AWS_CREDENTIALS"],
        *["MY_KEY_2", "SSH_PASSPHRASE", "api_key", "SECRET_KEY_BASE"],
    ],
)
def test_a_value_is_secret_by_its_name(name: str) -> None:
    rules = SecretRules([(name, "correct horse")])

    assert rules.text("the correct horse runs") == f"the [redacted:{name}] runs"


@pytest.mark.parametrize(
    "name", ["PATH", "KEYBOARD", "GNOME_KEYRING_CONTROL", "TOKENIZERS_PARALLELISM"]
)
def test_other_values_are_no_secrets(name: str) -> None:
    assert SecretRules([(name, "correct horse")]).text("a correct horse") == "a correct horse"


def test_short_values_are_no_secrets() -> None:
    rules = SecretRules([("A_KEY", "1234567"), ("B_KEY", "  12345  "), ("C_KEY", 12345678)])

    assert rules.text("1234567 12345 12345678") == "1234567 12345 12345678"


def test_the_longer_of_two_secrets_is_taken_first() -> None:
    rules = SecretRules([("A_KEY", "password"), ("B_KEY", "password-and-more")])

    assert rules.text("password-and-more password") == "[redacted:B_KEY] [redacted:A_KEY]"


def test_a_secret_is_found_in_the_form_that_it_has_in_json() -> None:
    secret = 'two "quoted"\nlines with ümlaut'
    rules = SecretRules([("A_KEY", secret)])

    for text in (secret, json.dumps([secret]), json.dumps([secret], ensure_ascii=False)):
        assert "ümlaut" not in rules.text(text)
        assert "[redacted:A_KEY]" in rules.text(text)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TOKENS), st.text(max_size=200), st.text(max_size=200))
def test_the_fast_search_misses_nothing_in_encoded_values(
    token: str, before: str, after: str
) -> None:
    raw = msgspec.msgpack.encode({"k": [f"{before} {token} {after}", token]})

    assert RULES.hint(raw)
    assert token not in RULES.text(f"{before} {token} {after}")


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=8, max_size=40).filter(lambda text: len(text.strip()) >= 8), st.text())
def test_any_value_of_the_environment_is_found(secret: str, around: str) -> None:
    rules = SecretRules([("A_KEY", secret)])
    text = f"{around}{secret}{around}"

    assert rules.hint(msgspec.msgpack.encode(text))
    assert "[redacted:A_KEY]" in rules.text(text)
