"""TLS to Redis: a rediss:// URL is checked in full, whatever it leaves out."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from crucible_infra.errors import InvalidInput
from crucible_tasks.broker_tls import read_address
from tls_front import Certificates, make_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("url", ["redis://h/0", "redis+socket:///run/redis.sock"])
def test_a_url_without_tls_stays_as_it_is(url: str) -> None:
    address = read_address(url)

    assert (address.url, address.tls) == (url, None)


def test_a_bare_tls_url_checks_certificate_and_name() -> None:
    address = read_address("rediss://:secret@h:1/0")

    assert address.url == "rediss://:secret@h:1/0"
    assert address.tls == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}


def test_files_are_named_by_options_that_leave_the_url(certificates: Certificates) -> None:
    options = f"ssl_ca_certs={certificates.authority}&ssl_certfile={certificates.client}"
    url = f"rediss://h/0?{options}&ssl_keyfile={certificates.client_key}&ssl_cert_reqs=required"
    address = read_address(url)

    assert address.url == "rediss://h/0"
    assert address.tls is not None
    assert address.tls["ssl_ca_certs"] == str(certificates.authority)
    assert address.tls["ssl_keyfile"] == str(certificates.client_key)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("rediss://:hunter22@h/0?ssl_cert_reqs=none", "trusts whoever answers"),
        ("rediss://:hunter22@h/0?ssl_cert_reqs=CERT_OPTIONAL", "trusts whoever answers"),
        ("rediss://:hunter22@h/0?ssl_check_hostname=false", "no option ssl_check_hostname"),
        ("rediss://:hunter22@h/0?ssl_ca_certs=/nowhere", "ssl_ca_certs: /nowhere: No such file"),
        ("rediss://:hunter22@h/0?ssl_certfile=/nowhere", "need each other"),
        ("redis://:hunter22@h/0?ssl_ca_certs=/nowhere", "without TLS"),
        ("redis://:hunter22@h/0?timeout=5", "no option timeout"),
    ],
)
def test_what_would_check_less_or_fail_later_is_refused_without_the_password(
    url: str, problem: str
) -> None:
    with pytest.raises(InvalidInput, match="CRUCIBLE_BROKER_URL") as caught:
        read_address(url)
    assert problem in caught.value.message
    assert "hunter22" not in f"{caught.value.message} {caught.value.hint}"


def test_a_file_that_is_no_certificate_is_named(certificates: Certificates, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello")
    with pytest.raises(InvalidInput, match="no usable PEM file"):
        read_address(f"rediss://h/0?ssl_ca_certs={text}")
    pair = f"ssl_certfile={certificates.client}&ssl_keyfile={certificates.server_key}"
    with pytest.raises(InvalidInput, match="no usable PEM file"):
        read_address(f"rediss://h/0?{pair}")
