"""TLS and passwords: what is trusted works, what is not is refused in one line without a secret."""

from __future__ import annotations

import functools
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy

from commandline import Crucible, Said, at_home
from services import RedisServer
from tls_front import Certificates, make_certificates, tls_front

REDIS_PASSWORD = "a-secret-of-Redis"
POSTGRES_PASSWORD = "a-secret-of-Postgres"
WRONG = "not-the-password"


@dataclass(frozen=True, slots=True)
class Guarded:
    """Servers with passwords behind TLS, and a home from which to reach them."""

    crucible: Crucible
    certificates: Certificates
    redis_port: int
    #: the same, for clients with a certificate alone
    strict_port: int
    postgres_port: int
    database: str

    def broker(self, options: str = "", **parts: str) -> str:
        """A URL, right unless told otherwise."""
        place = {"scheme": "rediss", "host": "localhost", "password": REDIS_PASSWORD, **parts}
        port = place.get("port", self.redis_port)
        asked = options or f"ssl_ca_certs={self.certificates.authority}"
        return f"{place['scheme']}://:{place['password']}@{place['host']}:{port}/0?{asked}"

    def postgres(self, options: str = "", **parts: str) -> str:
        """The same for Postgres."""
        place = {"host": "localhost", "password": POSTGRES_PASSWORD, **parts}
        asked = options or f"sslmode=verify-full&sslrootcert={self.certificates.authority}"
        who = f"guarded:{place['password']}@{place['host']}:{self.postgres_port}"
        return f"postgresql://{who}/{self.database}?{asked}"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def guarded(
    tmp_path: Path,
    certificates: Certificates,
    redis_of_my_own: RedisServer,
    postgres_database_url: str,
) -> Iterator[Guarded]:
    import redis

    with redis.Redis(port=redis_of_my_own.port) as client:
        client.config_set("requirepass", REDIS_PASSWORD)
    with ExitStack() as stack:
        to_redis = functools.partial(_to_port, redis_of_my_own.port)
        to_postgres = functools.partial(_to_postgres, postgres_database_url)
        _demand_a_password(postgres_database_url)
        front = functools.partial(tls_front, certificates)
        yield Guarded(
            at_home(tmp_path, CRUCIBLE_OUTAGE_SECONDS="0"),
            certificates,
            stack.enter_context(front(to_redis)),
            stack.enter_context(front(to_redis, asks_client=True)),
            stack.enter_context(front(to_postgres, is_postgres=True)),
            sqlalchemy.make_url(postgres_database_url).database or "",
        )


def _to_port(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


def _to_postgres(url: str) -> socket.socket:
    parts = sqlalchemy.make_url(url)
    folder = str(parts.query.get("host") or parts.host)
    if not folder.startswith("/"):
        return socket.create_connection((folder, parts.port or 5432))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(f"{folder}/.s.PGSQL.{parts.port or 5432}")
    return connection


def _demand_a_password(url: str) -> None:
    """Let the role `guarded` own this database, and in with its password alone."""
    admin = sqlalchemy.create_engine(
        url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
    )
    name = sqlalchemy.make_url(url).database
    with admin.connect() as connection:
        rules = Path(connection.exec_driver_sql("SHOW hba_file").scalar_one())
        ours = "local all guarded scram-sha-256\nhost all guarded all scram-sha-256\n"
        if not rules.read_text().startswith(ours):
            rules.write_text(ours + rules.read_text())
            connection.exec_driver_sql(f"CREATE ROLE guarded LOGIN PASSWORD '{POSTGRES_PASSWORD}'")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
        connection.exec_driver_sql(f"ALTER DATABASE {name} OWNER TO guarded")
        connection.exec_driver_sql("ALTER SCHEMA public OWNER TO guarded")


def _refused(said: Said) -> str:
    """The one line, and the hint, of a refusal that shows no password."""
    assert (said.code, said.out) != (0, "")
    for secret in (REDIS_PASSWORD, POSTGRES_PASSWORD, WRONG):
        assert secret not in said.out + said.err
    assert "Traceback" not in said.err
    lines = said.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"], said.err
    return said.err


def test_a_benchmark_goes_through_tls_and_passwords_on_both_sides(guarded: Guarded) -> None:
    keys = guarded.certificates
    options = f"ssl_ca_certs={keys.authority}&ssl_certfile={keys.client}"
    options += f"&ssl_keyfile={keys.client_key}&ssl_cert_reqs=required"
    crucible = Crucible(
        guarded.crucible.home,
        {
            **guarded.crucible.environment,
            "CRUCIBLE_BROKER_URL": guarded.broker(options, port=str(guarded.strict_port)),
            "CRUCIBLE_DATABASE_URL": guarded.postgres(),
        },
    )
    upgraded = crucible("db", "upgrade")
    assert upgraded.code == 0, upgraded.err
    worker = crucible.start("worker")
    said = crucible("benchmark", "-m", "reference", "--limit", "3")
    worker.send_signal(signal.SIGTERM)
    _, talk = worker.communicate(timeout=40)

    assert said.code == 0, said.err + talk.decode()
    assert "3 of 3 completions judged" in said.err + said.out
    assert worker.returncode == 0, talk.decode()
    for secret in (REDIS_PASSWORD, POSTGRES_PASSWORD):
        assert secret not in said.err + said.out + talk.decode()


@pytest.mark.parametrize(
    ("what", "problem", "hint"),
    [
        ("another authority", "certificate verify failed", "ssl_ca_certs=FILE"),
        ("another name", "127.0.0.1", "must be a name in it"),
        ("no certificate of its own", "", "ssl_certfile=FILE"),
        ("a wrong password", "invalid username-password", "correct user and password"),
        ("no TLS", "did not answer", "Redis"),
    ],
)
def test_a_worker_refuses_a_redis_that_it_cannot_trust_or_log_in_to(
    guarded: Guarded, what: str, problem: str, hint: str
) -> None:
    other = f"ssl_ca_certs={guarded.certificates.other_authority}"
    url = {
        "another authority": guarded.broker(other),
        "another name": guarded.broker(host="127.0.0.1"),
        "no certificate of its own": guarded.broker(port=str(guarded.strict_port)),
        "a wrong password": guarded.broker(password=WRONG),
        "no TLS": guarded.broker(scheme="redis").partition("?")[0],
    }[what]
    said = guarded.crucible("worker", "--queues", "evaluation", "--quiet", CRUCIBLE_BROKER_URL=url)
    told = _refused(said)

    assert problem in told
    # a server may hang up before its reason has arrived
    assert hint in told or "EOF occurred" in told


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("another authority", "certificate verify failed"),
        ("another name", 'does not match host name "127.0.0.1"'),
        ("a wrong password", "password authentication failed"),
        ("no TLS", "closed the connection"),
    ],
)
def test_a_command_refuses_a_postgres_that_it_cannot_trust_or_log_in_to(
    guarded: Guarded, what: str, problem: str
) -> None:
    keys = guarded.certificates
    other = f"sslmode=verify-full&sslrootcert={keys.other_authority}"
    url = {
        "another authority": guarded.postgres(other),
        "another name": guarded.postgres(host="127.0.0.1"),
        "a wrong password": guarded.postgres(password=WRONG),
        "no TLS": guarded.postgres("sslmode=disable"),
    }[what]
    told = _refused(guarded.crucible("runs", "list", CRUCIBLE_DATABASE_URL=url))

    assert problem in told
    assert "hint: check CRUCIBLE_DATABASE_URL" in told
