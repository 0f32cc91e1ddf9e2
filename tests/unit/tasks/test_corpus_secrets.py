"""Secrets are found by line and kind; words, placeholders and identifiers are none."""

from __future__ import annotations

import pytest

from crucible_tasks.corpus.secret_scan import secrets_in

#: joined here, so that this file holds none
AWS = "AKIA" + "Q3EGTRFZX7BMNPLA"
GITHUB = "ghp_" + "x7Kd93mQpLz2VbN8sWq1RtY6uIo4PaSdFgHj"
HEX = "9f86d081884c7d659a2feaa0c55ad015"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f'key = "{AWS}"', "AWS Access Key"),
        (f"# {GITHUB}", "GitHub Token"),
        ('PEM = """-----BEGIN RSA PRIVATE ' + "KEY-----", "Private Key"),
        ('url = "postgres://bob:' + 'x9kLm2pQ@db/main"', "Basic Auth Credentials"),
        ('DB_PASSWORD = "' + 'Sup3rS3cret!"', "Secret Keyword"),
        ('password: str = "' + 'hunter2hunter2"', "Secret Keyword"),
        ('const apiKey = "' + f'{HEX}";', "Secret Keyword"),
        ('auth_token = "' + f'{HEX}"', "Token"),
        ('headers = {"Authorization-Token": "Bearer ' + f'{HEX}"}}', "Token"),
        ("ibm_api_key = " + "a1B2" * 11, "IBM Cloud IAM Key"),
    ],
)
def test_a_secret_is_found_and_not_told(line: str, kind: str) -> None:
    found = secrets_in("a.py", f"import os\n\n{line}\n")

    assert (3, kind) in [(secret.line, secret.kind) for secret in found]
    assert HEX not in repr(found)
    assert AWS not in repr(found)


@pytest.mark.parametrize(
    "line",
    [
        'password = "changeme"',
        'password = "password123"',
        'password = os.environ["PASSWORD"]',
        'SECRET_KEY = "{{ secret_key }}"',
        'password = "<your password here>"',
        'token_name = "access_token"',
        'url = "https://user:pass@example.com/"',
        'url = "https://jo%40example.com:a%20secret@example.com/"',
        'url = "http://user:pass%23pass@example.com/"',
        'message = "the password must not be empty"',
        f'sha256 = "{HEX}"',
        'credentials_file = "google-cloud/service-account.json"',
        'raise ValueError("secret: expected 32 bytes")',
    ],
)
def test_what_only_looks_like_one_is_none(line: str) -> None:
    assert secrets_in("a.py", line) == []


def test_a_line_may_be_allowed() -> None:
    assert secrets_in("a.py", f'key = "{AWS}"  # pragma: allowlist ' + "secret") == []
