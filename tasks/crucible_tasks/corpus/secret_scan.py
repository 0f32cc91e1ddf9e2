"""Finds secrets in source code with detect-secrets' detectors; nothing is ever asked of a server.

Tokens of known services, private keys, JSON Web Tokens and credentials in URLs are told by their
form. Beyond that a value counts when a name beside it says that it is a secret and the value does
not look like a word, a placeholder or an identifier. A password that is a plain word in an honest
place is therefore not found: nothing but a person can tell it from any other word.

The whole file is dropped: next to one secret there are others of no known form, and a masked one
would teach a model to write masks. A line that ends in `pragma: allowlist secret`, detect-secrets'
own sign, is none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.cloudant import CloudantDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.ibm_cloud_iam import IbmCloudIamDetector
from detect_secrets.plugins.ibm_cos_hmac import IbmCosHmacDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.keyword import KeywordDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.softlayer import SoftlayerDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

from crucible_tasks.corpus.report import SecretFound

#: named, so that a new version of the library finds no more and no less in the same tree
_DETECTORS: tuple[RegexBasedDetector, ...] = (
    ArtifactoryDetector(),
    AWSKeyDetector(),
    AzureStorageKeyDetector(),
    BasicAuthDetector(),
    DiscordBotTokenDetector(),
    GitHubTokenDetector(),
    GitLabTokenDetector(),
    JwtTokenDetector(),
    MailchimpDetector(),
    NpmDetector(),
    OpenAIDetector(),
    PrivateKeyDetector(),
    PypiTokenDetector(),
    SendGridDetector(),
    SlackDetector(),
    SquareOAuthDetector(),
    StripeDetector(),
    TelegramBotTokenDetector(),
    TwilioKeyDetector(),
)

#: these look for a name and a long value beside it, slowly
_SLOW_DETECTORS: tuple[RegexBasedDetector, ...] = (
    CloudantDetector(),
    IbmCloudIamDetector(),
    IbmCosHmacDetector(),
    SoftlayerDetector(),
)

#: the shortest value they know; few lines of code have it
_LONG = re.compile(r"[A-Za-z0-9_-]{24}")

#: these find a name or a place and take whatever stands there, so the value must be looked at too
_GUESSES = (ArtifactoryDetector, BasicAuthDetector, IbmCloudIamDetector, TwilioKeyDetector)

_KEYWORD = KeywordDetector()

#: without one of these on a line the keyword detector finds nothing; it is slow
_KEYWORDS = re.compile(
    r"(?:api|auth|service|account|db|database|priv|private|client)_?key|pass|pwd|secret|contrase",
    re.IGNORECASE,
)

#: `password: str = …`, which the keyword detector does not read
_ANNOTATION = re.compile(r":\s*[A-Za-z_][\w.\[\] |]*\s*=(?!=)")

#: names that the keyword detector does not know, with a value that only chance writes
_TOKEN = re.compile(
    r"(?:token|bearer|credential|passphrase|signing_?key|encryption_?key)\w*[\"'\]]{0,2}\s*"
    r"(?::\s*\w+\s*)?(?::|:?=|=>)\s*[rbf]?[\"'](?:Bearer )?([A-Za-z0-9+/=_.\-]{20,})[\"']",
    re.IGNORECASE,
)

_ALLOWED = "pragma: allowlist secret"

#: characters; below this a guess is a word
_SHORTEST = 8

#: bits a character: English words have less, random letters and digits more
_LEAST_ENTROPY = 3.5

#: words, numbered at most, with separators between them: an identifier, a path, a host
_IDENTIFIER = re.compile(r"[A-Za-z]+\d{0,2}(?:[\s_.\-/:]+(?:[A-Za-z]+\d{0,2}|\d{1,2}))*[.:!?]?")

#: a digit, or letters of both cases and a sign: what a word does not have
_MIXED = re.compile(r"\d|^(?=.*[a-z])(?=.*[A-Z])(?=.*\W)")

_TEMPLATE = re.compile(r"\$\{|\{\{|%[sdr(]|\{\w*\}|^<.*>$|^\$|^%|\.\.\.|\\[nt]|[()\[\]]")

#: what people write where a secret would stand, without digits and signs
_PLACEHOLDERS = frozenset(
    (
        "password passwd passw pass passphrase pwd secret secretkey mysecret mypassword "
        "yourpassword changeme changethis test testing testpass testpassword dummy fake "
        "example sample foo bar foobar foobarbaz baz xxx none null user username admin token "
        "apikey yourapikey key yourtoken todo redacted placeholder abc abcdef abcdefgh qwerty "
        "letmein default"
    ).split()
)


def secrets_in(path: str, text: str) -> list[SecretFound]:
    """Every secret, by line; what it is stays unsaid."""
    lines = text.split("\n")
    found = {(number, kind) for number, kind in _known(text, lines)}
    found |= {(number, kind) for number, kind in _named(lines)}
    allowed = {number for number, line in enumerate(lines, start=1) if _ALLOWED in line}
    return [
        SecretFound(path, number, kind) for number, kind in sorted(found) if number not in allowed
    ]


def _known(text: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    for detector in _DETECTORS:
        for pattern in detector.denylist:
            # over the whole text first: most texts hold none, and one search is quick
            for match in pattern.finditer(text):
                number = text.count("\n", 0, match.start()) + 1
                yield from _on_line(detector, number, lines[number - 1])
    for number, line in enumerate(lines, start=1):
        if _LONG.search(line):
            for detector in _SLOW_DETECTORS:
                yield from _on_line(detector, number, line)


def _on_line(detector: RegexBasedDetector, number: int, line: str) -> Iterator[tuple[int, str]]:
    if any(_convinces(detector, value) for value in detector.analyze_string(line)):
        yield number, str(detector.secret_type)


def _convinces(detector: RegexBasedDetector, value: str) -> bool:
    # in a URL a sign may be written as a number
    return not isinstance(detector, _GUESSES) or _is_random(unquote(value))


def _named(lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        plain = _ANNOTATION.sub(" =", line) if _KEYWORDS.search(line) else ""
        values = _KEYWORD.analyze_string(plain)
        if any(_is_random(value) for value in values):
            yield number, str(_KEYWORD.secret_type)
        token = _TOKEN.search(line)
        if token and _is_random(token[1]) and _entropy(token[1]) >= _LEAST_ENTROPY:
            yield number, "Token"


def _is_random(value: str) -> bool:
    """Whether a value looks like something that only its owner knows."""
    if len(value) < _SHORTEST or len(set(value)) < _SHORTEST // 2 or " " in value:
        return False
    if _IDENTIFIER.fullmatch(value) or _TEMPLATE.search(value):
        return False
    letters = re.sub(r"[^a-z]", "", value.lower())
    return bool(_MIXED.search(value)) and letters not in {"", *_PLACEHOLDERS}


def _entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares)
