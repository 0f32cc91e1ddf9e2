"""docker-compose.yml says what exists, and gives every container as little as it needs."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from command_words import parse
from compose_file import compose_file, ours, services
from crucible_infra.secret_files import SECRETS
from source_tree import ROOT

#: end by themselves, or are started by hand
SHORT_LIVED = {"schema", "crucible"}

EVERY = sorted(services())


@pytest.mark.parametrize("name", EVERY)
def test_no_container_has_more_than_it_needs(name: str) -> None:
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"mem_limit", "cpus", "pids_limit", "logging"} <= service.keys()
    assert not {"privileged", "cap_add", "pid", "ipc", "userns_mode", "devices"} & service.keys()
    # the model server's image has no other owner for its volume, as its comment says
    assert re.match(r"[1-9]\d*:", service.get("user", "")) or name == "model-server"


@pytest.mark.parametrize("name", EVERY)
def test_what_stays_is_watched_and_started_again(name: str) -> None:
    service = services()[name]

    assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)+[\w.-]*", service["image"])
    if name not in SHORT_LIVED:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_only_the_sandbox_gets_another_seccomp_profile() -> None:
    special = {name: one["security_opt"] for name, one in services().items()}
    (opened,) = [name for name, options in special.items() if len(options) > 1]
    (profile,) = [one for one in special[opened] if one.startswith("seccomp=")]

    assert opened == "worker-evaluation"
    assert (ROOT / profile.partition("=")[2]).is_file()


def test_who_runs_foreign_programs_reaches_redis_alone() -> None:
    file = compose_file()
    (network,) = services()["worker-evaluation"]["networks"]
    members = {name for name, one in services().items() if network in one["networks"]}

    assert file["networks"][network] == {"internal": True}
    # Prometheus asks, and has nothing to be written to
    assert members == {"worker-evaluation", "redis", "prometheus"}
    assert not any("--web.enable" in word for word in services()["prometheus"]["command"])
    (artifacts,) = services()["worker-evaluation"]["volumes"]
    assert artifacts.endswith(":ro")


def test_who_trains_reaches_redis_alone_and_needs_no_privilege_for_its_gpus() -> None:
    service = services()["worker-fine-tune"]
    (network,) = service["networks"]
    members = {name for name, one in services().items() if network in one["networks"]}

    assert compose_file()["networks"][network] == {"internal": True}
    assert members == {"worker-fine-tune", "redis", "prometheus"}
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert service["secrets"] == ["broker_url_fine_tune"]
    # its checkpoints and adapters go there
    assert "artifacts:/artifacts" in service["volumes"]


def test_nothing_is_published_beyond_this_host() -> None:
    published = {name: one["ports"] for name, one in services().items() if "ports" in one}

    assert set(published) == {"flower", "prometheus", "grafana", "serve"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    # an internal network publishes nothing
    assert all("front" in services()[name]["networks"] for name in published)


@pytest.mark.parametrize("name", sorted(set(ours()) - {"crucible"}))
def test_every_command_is_one_of_ours(name: str) -> None:
    parse(ours()[name]["command"])


def test_every_variable_is_one_that_the_settings_read() -> None:
    tree = ast.parse((ROOT / "infra/crucible_infra/settings.py").read_text())
    known = {str(node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    known |= {f"{secret}_FILE" for secret in SECRETS}
    used = {variable for one in ours().values() for variable in one.get("environment", {})}

    assert used - known == set()
    assert {"CRUCIBLE_BROKER_URL_FILE", "CRUCIBLE_METRICS_PORT"} <= used


def test_every_secret_is_made_and_given_to_those_that_read_it(tmp_path: Path) -> None:
    script = ROOT / "infra/docker/make-secrets.sh"
    for _ in range(2):
        subprocess.run(["sh", script, tmp_path / "made"], check=True, capture_output=True)
    made = {path.name for path in (tmp_path / "made").iterdir()}
    declared = compose_file()["secrets"]

    assert made == set(declared)
    assert {Path(one["file"]).name for one in declared.values()} == made
    for name, service in services().items():
        read = set(re.findall(r"/run/secrets/(\w+)", yaml.safe_dump(service)))
        assert read == set(service.get("secrets", [])), name
    password = (tmp_path / "made" / "redis_password").read_text()
    assert f":{password}@redis:" in (tmp_path / "made" / "broker_url").read_text()
    users = (tmp_path / "made" / "redis_users").read_text()
    assert [line.split()[1] for line in users.splitlines()] == [
        "default",
        "evaluation",
        "generation",
        "fine_tune",
    ]
    assert password not in users
    assert f"#{hashlib.sha256(password.encode()).hexdigest()} " in users
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


def test_every_volume_and_network_is_declared_and_every_mounted_folder_exists() -> None:
    file = compose_file()
    mounts = [mount for one in services().values() for mount in one.get("volumes", [])]
    sources = {mount.partition(":")[0] for mount in mounts}
    folders = {source for source in sources if source.startswith(".")}

    assert sources - folders == set(file["volumes"])
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
    used = {network for one in services().values() for network in one["networks"]}
    assert used == set(file["networks"])


def test_prometheus_asks_every_service_that_answers_it() -> None:
    scraped = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
    lookups = [one for job in scraped["scrape_configs"] for one in job.get("dns_sd_configs", [])]
    answering = {
        name for name, one in ours().items() if "CRUCIBLE_METRICS_PORT" in one["environment"]
    }

    assert {name for lookup in lookups for name in lookup["names"]} == answering
    ports = {one["environment"].get("CRUCIBLE_METRICS_PORT") for one in ours().values()} - {None}
    assert {str(lookup["port"]) for lookup in lookups} == ports
    networks = set(services()["prometheus"]["networks"])
    assert all(networks & set(services()[name]["networks"]) for name in answering)


def test_a_container_is_given_the_time_its_tasks_get() -> None:
    assert {one.get("stop_grace_period") for one in ours().values()} == {"30s"}
