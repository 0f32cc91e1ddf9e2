"""Shows every hostile text on its page, to a client and to a browser, and prints what they did.

python tests/performance/hostile_pages.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import browser
from hostile_site import hostile_site, with_tags, with_traces
from hostile_texts import COUNT


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, hostile_site(Path(directory)) as site:
        paths = [*(site.page_of(number) for number in range(COUNT)), *site.pages]
        began = time.monotonic()
        tagged = list(with_tags(site, paths))
        asked = time.monotonic() - began
        print(f"{len(paths)} pages asked in {asked:.0f} s: {len(tagged)} with a tag of a text")
        with browser.chromium() as chromium, browser.opened(chromium) as page:
            seen = browser.watch(page)
            hurt = list(with_traces(page, site, paths))
    took = time.monotonic() - began - asked
    print(
        f"{len(paths)} pages seen in {took:.0f} s: {len(hurt)} obeyed a text, "
        f"{len(seen.errors)} messages of the console, {len(seen.foreign)} requests to other hosts"
    )
    for line in (*tagged, *hurt, *seen.errors, *seen.foreign):
        print(line[:500])


if __name__ == "__main__":
    main()
