"""infra/k8s: the compose file's workloads, with as little as they need and the same commands."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from command_words import parse
from compose_file import services
from crucible_tasks.celery_app import QUEUES
from source_tree import ROOT

FOLDER = ROOT / "infra/k8s"

Manifest = dict[str, Any]


def manifests() -> list[Manifest]:
    """Every document of every file that the kustomization names."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    texts = [(FOLDER / name).read_text() for name in listed]
    return [one for text in texts for one in yaml.safe_load_all(text)]


def of_kind(*kinds: str) -> dict[str, Manifest]:
    """By name."""
    return {one["metadata"]["name"]: one for one in manifests() if one["kind"] in kinds}


WORKLOADS = of_kind("Deployment", "StatefulSet")


def _pod(name: str) -> Manifest:
    pod: Manifest = WORKLOADS[name]["spec"]["template"]["spec"]
    return pod


def _containers(name: str) -> list[Manifest]:
    return [*_pod(name).get("initContainers", []), *_pod(name)["containers"]]


def test_every_file_is_part_of_the_kustomization() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]

    assert {path.name for path in FOLDER.glob("*.yaml")} == {*listed, "kustomization.yaml"}


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_no_pod_has_more_than_it_needs(name: str) -> None:
    pod = _pod(name)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert not any("hostPath" in volume for volume in pod["volumes"])
    for container in _containers(name):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= container["resources"].keys()


def test_only_the_sandbox_has_a_seccomp_profile_of_its_own() -> None:
    used = {
        name: container["securityContext"].get("seccompProfile", {}).get("type")
        or _pod(name)["securityContext"]["seccompProfile"]["type"]
        for name in WORKLOADS
        for container in _containers(name)
    }

    assert {name for name, kind in used.items() if kind == "Localhost"} == {"worker-evaluation"}
    assert set(used.values()) == {"Localhost", "RuntimeDefault"}


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_every_workload_is_the_compose_files(name: str) -> None:
    (container,) = _pod(name)["containers"]
    compared = services()[name]

    if container["image"] in ("codecrucible", "codecrucible-train"):
        parse(container["args"])
        # a secret is a folder here and a file there
        args = [re.sub(r"(/run/secrets)/\w+(?=/)", r"\1", word) for word in container["args"]]
        assert args == compared["command"]
        mine = {one["name"] for one in container["env"]}
        # a model server's place differs, and the image knows where artifacts are
        assert mine ^ set(compared["environment"]) <= {
            "OPENAI_BASE_URL",
            "CRUCIBLE_ARTIFACTS_URL",
        }
    else:
        assert container["image"] == compared["image"]
    grace = _pod(name)["terminationGracePeriodSeconds"]
    assert f"{grace}s" == compared["stop_grace_period"]


@pytest.mark.parametrize("name", sorted(WORKLOADS))
def test_every_mount_has_a_volume_and_every_secret_is_mounted_where_it_is_read(name: str) -> None:
    claims = {one["metadata"]["name"] for one in WORKLOADS[name]["spec"].get(_TEMPLATES, [])}
    volumes = {volume["name"] for volume in _pod(name)["volumes"]} | claims
    for container in _containers(name):
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert set(mounts.values()) <= volumes
        read = set(re.findall(r"/run/secrets/\w+", yaml.safe_dump(container)))
        assert read <= mounts.keys()
    used = {mount["name"] for one in _containers(name) for mount in one["volumeMounts"]}
    assert used == volumes


_TEMPLATES = "volumeClaimTemplates"


def _selects(selector: Manifest, app: str) -> bool:
    labels = {"app": app, **WORKLOADS[app]["spec"]["template"]["metadata"]["labels"]}
    wanted = selector.get("matchLabels", {}).items()
    ranges = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in wanted) and all(
        labels.get(one["key"]) in one["values"] for one in ranges
    )


def _ways_out(app: str) -> dict[str, set[int]]:
    """To whom a pod may speak, by the policies that select it, and on which ports."""
    ways: dict[str, set[int]] = {}
    for name, policy in of_kind("NetworkPolicy").items():
        if _selects(policy["spec"]["podSelector"], app):
            for rule in policy["spec"].get("egress", []):
                ways[name] = {port["port"] for port in rule.get("ports", [])}
    return ways


def test_who_runs_foreign_programs_reaches_redis_and_names_alone() -> None:
    nothing = of_kind("NetworkPolicy")["nothing"]["spec"]

    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert _ways_out("worker-evaluation") == {"names": {53}, "to-redis": {6379}}
    # each other, on any port
    assert _ways_out("worker-fine-tune") == {"names": {53}, "to-redis": {6379}, "gangs": set()}
    assert _ways_out("controller") == {"names": {53}, "to-redis": {6379}, "to-postgres": {5432}}
    assert _ways_out("redis") == _ways_out("postgres") == {"names": {53}}


def test_workers_are_scaled_by_queues_that_exist_and_disturbed_one_at_a_time() -> None:
    scaled = of_kind("ScaledObject")

    assert set(scaled) == {"worker-evaluation", "worker-generation"}
    for name, one in scaled.items():
        assert one["spec"]["scaleTargetRef"]["name"] == name
        (trigger,) = one["spec"]["triggers"]
        (container,) = _pod(name)["containers"]
        queue = trigger["metadata"]["listName"]
        assert queue in QUEUES
        assert container["args"][:3] == ["worker", "--queues", queue]
    workers = {name for name in WORKLOADS if "worker" in name or name == "controller"}
    assert set(of_kind("PodDisruptionBudget")) == workers


def test_probes_ask_ports_that_the_container_names() -> None:
    for name in WORKLOADS:
        (container,) = _pod(name)["containers"]
        named = {port["name"] for port in container["ports"]}
        asked = [container["readinessProbe"], container["livenessProbe"]]
        assert {one["httpGet"]["port"] for one in asked if "httpGet" in one} <= named
