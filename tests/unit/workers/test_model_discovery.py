from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from crucible_infra import settings
from crucible_infra.configured_models import EndpointEntry
from crucible_infra.errors import InvalidInput, ModelNotFound
from crucible_tasks.model_spec import ModelKind, ModelSpec, parse
from crucible_workers.models import discovery
from crucible_workers.models.discovery import Place, discover, key_for, ollama_url, resolve
from model_server import ModelServer, Ollama, OpenAi, Reply
from services import free_port


def place(server: ModelServer, kind: ModelKind = ModelKind.OPENAI) -> Place:
    return Place(kind, "test", server.url + ("/v1" if kind is ModelKind.OPENAI else ""))


def nobody() -> Place:
    return Place(ModelKind.OPENAI, "nobody", f"http://127.0.0.1:{free_port()}/v1")


def environment(**variables: str) -> settings.Settings:
    return settings.read(variables)


def test_whoever_answers_is_found_with_its_models() -> None:
    with ModelServer(Ollama(models=("a:1b", "b:latest"))) as one, ModelServer(OpenAi()) as two:
        found = discover((nobody(), place(one, ModelKind.OLLAMA), place(two)))
        assert [[str(spec) for spec in endpoint.specs] for endpoint in found] == [
            [f"ollama:{one.url}#a:1b", f"ollama:{one.url}#b:latest"],
            [f"openai:{two.url}/v1#coder"],
        ]


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda _asked: Reply(b"<html>welcome</html>"),
        lambda _asked: Reply({"data": "something else"}),
        lambda _asked: Reply([], 500),
        lambda _asked: Reply(b"", cut_at=0),
    ],
)
def test_other_servers_on_those_ports_are_left_out(behaviour: Callable[..., Reply]) -> None:
    with ModelServer(behaviour) as server:
        assert discover((place(server), place(server, ModelKind.OLLAMA))) == ()


def test_places_are_asked_at_once_and_slow_ones_left_out() -> None:
    with ModelServer(lambda _asked: Reply({"data": []}, wait=10)) as server:
        started = time.monotonic()
        assert discover([place(server)] * 6) == ()
        assert time.monotonic() - started < 4


def test_a_name_is_found_at_the_first_server_that_has_it() -> None:
    with ModelServer(Ollama(models=("coder:latest",))) as one, ModelServer(OpenAi()) as two:
        places = (place(one, ModelKind.OLLAMA), place(two))
        assert str(resolve(parse("coder?style=base"), places)) == (
            f"ollama:{one.url}#coder:latest?style=base"
        )
        assert resolve(parse("coder"), places[1:]) == ModelSpec(
            ModelKind.OPENAI, "coder", f"{two.url}/v1"
        )


def test_an_unknown_name_says_who_was_asked() -> None:
    with (
        ModelServer(OpenAi()) as server,
        pytest.raises(ModelNotFound, match=r"'codr'; asked test \(1 models\)"),
    ):
        resolve(parse("codr"), (place(server),))
    with pytest.raises(ModelNotFound, match="no model server answers"):
        resolve(parse("codr"), (nobody(),))


def test_a_cloud_model_is_not_listed() -> None:
    with ModelServer(Ollama(models=("gpt-oss:120b-cloud",))) as server:
        (endpoint,) = discover((place(server, ModelKind.OLLAMA),))
    assert endpoint.specs == ()


def test_the_usual_places_are_asked_in_order_and_none_twice() -> None:
    current = environment(OPENAI_BASE_URL="http://localhost:8000/v1/", OLLAMA_HOST="gpu2")
    assert [place.url for place in discovery.usual_places(current)] == [
        "http://gpu2:11434",
        "http://127.0.0.1:1234/v1",
        "http://127.0.0.1:8080/v1",
        "http://127.0.0.1:9931/v1",
        "http://127.0.0.1:8000/v1",
    ]
    other = environment(OPENAI_BASE_URL="https://api.example.com/v1")
    assert discovery.usual_places(other)[-1].url == "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8888", "http://127.0.0.1:8888"),
        (":8888", "http://127.0.0.1:8888"),
        ("gpu2", "http://gpu2:11434"),
        ("http://gpu2", "http://gpu2:80"),
        ("https://gpu2", "https://gpu2:443"),
        ("https://gpu2:1/ollama/", "https://gpu2:1/ollama"),
        ("[::]:8888", "http://127.0.0.1:8888"),
        ("[::1]", "http://[::1]:11434"),
        (' "gpu2" ', "http://gpu2:11434"),
    ],
)
def test_ollama_host_means_what_it_means_to_ollama(host: str | None, url: str) -> None:
    assert ollama_url(host) == url


@pytest.mark.parametrize(
    ("url", "is_sent"),
    [
        ("https://api.example.com/v1", True),
        ("https://api.example.com:443/other", True),
        ("http://api.example.com/v1", False),
        ("https://api.example.com:8443/v1", False),
        ("https://api.example.com.evil.net/v1", False),
        ("http://127.0.0.1:8000/v1", False),
    ],
)
def test_the_key_goes_to_its_own_server_only(url: str, is_sent: bool) -> None:  # noqa: FBT001
    current = environment(OPENAI_BASE_URL="https://api.example.com/v1", OPENAI_API_KEY="sk-1\n")
    assert key_for(url, current) == ("sk-1" if is_sent else None)


def test_a_key_without_a_server_goes_nowhere() -> None:
    assert key_for("https://api.openai.com/v1", environment(OPENAI_API_KEY="sk-1")) is None


def test_an_endpoints_key_is_sent_to_its_server_and_to_no_other() -> None:
    configured = replace(
        settings.read({"OPENAI_API_KEY": "sk-env", "OPENAI_BASE_URL": "https://api.example/v1"}),
        endpoints={"work": EndpointEntry("https://work.example/v1", key="work")},
        keys={"work": "sk-work"},
    )

    assert discovery.key_for("https://work.example/v1", configured) == "sk-work"
    assert discovery.key_for("https://api.example/v1", configured) == "sk-env"
    assert discovery.key_for("http://work.example/v1", configured) is None
    assert discovery.key_for("https://work.example:8443/v1", configured) is None
    with pytest.raises(InvalidInput, match="no key 'work'"):
        discovery.key_for("https://work.example/v1", replace(configured, keys={}))


def test_configured_endpoints_are_asked_too() -> None:
    configured = replace(
        settings.read({}),
        endpoints={
            "box": EndpointEntry("http://box:11434", "ollama"),
            "again": EndpointEntry("http://localhost:1234/v1"),
        },
    )
    places = discovery.usual_places(configured)
    assert (places[-1].label, places[-1].url) == ("box", "http://box:11434")
