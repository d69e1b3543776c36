"""What this book adds to Sphinx: it works offline, and is never stale.

- Docstrings are plain text, and are shown as it (plain_docstrings.py).
- Executed notebooks come from a cache whose folder changes with the package.
- MathJax comes out of an installed package and into the book, not from a network.
- Scripts that would be fetched from other hosts are left out of the pages.
- Buttons that need a public address are left out while there is none.
"""

import importlib.util
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.fileutil import copy_asset
from sphinx_proof.nodes import proof_node

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book" / "_ext")]

from driver import inputs  # noqa: E402
from plain_docstrings import plain  # noqa: E402

GITHUB = "https://github.com/"
# SVG output needs no fonts, which some browsers refuse to load from a file.
MATHJAX = "tex-svg.js"
MATHJAX_PARTS = ("a11y", "input/tex/extensions", "ui")
REMOTE = re.compile(
    r"<script>const THEBE_JS_URL.*?</script>"
    r"|<script[^>]*sphinx-thebe\.js.*?</script>"
    r'|<script type="text/x-thebe-config">.*?</script>'
    r"|<script>\s*kernelName = .*?</script>"
    r"|<link[^>]*sphinx-thebe\.css[^>]*>"
    r'|<link rel="preload" as="font"[^>]*>',
    re.DOTALL,
)
REPOSITORY_BUTTONS = (
    "use_repository_button",
    "use_issues_button",
    "use_edit_page_button",
    "use_source_button",
)


def choose_cache(app: Sphinx, config: Config) -> None:
    """Name the folder of executed notebooks, unless the command line did."""
    if not config.nb_execution_cache_path:
        config.nb_execution_cache_path = str(inputs.cache_folder(ROOT))


def drop_buttons(app: Sphinx, config: Config) -> None:
    """Without a GitHub address, no button can lead there."""
    options = config.html_theme_options
    if options.get("repository_url", "").startswith(GITHUB):
        return
    options["launch_buttons"] = {}
    options.pop("repository_url", None)
    for button in REPOSITORY_BUTTONS:
        options[button] = False


def mathjax_folder() -> Path:
    """Where the installed package keeps MathJax."""
    found = importlib.util.find_spec("sphinx-mathjax-offline")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the book needs the package sphinx-mathjax-offline")
    return Path(found.origin).parent / "static" / "mathjax"


def use_own_mathjax(app: Sphinx, config: Config) -> None:
    config.mathjax_path = f"mathjax/{MATHJAX}"


def copy_mathjax(app: Sphinx, problem: Exception | None) -> None:
    """Copy the parts of MathJax that a page may load (3 MB of 24)."""
    if problem is not None or app.builder.format != "html":
        return
    there = Path(app.outdir) / "_static" / "mathjax"
    there.mkdir(parents=True, exist_ok=True)
    copy_asset(mathjax_folder() / MATHJAX, there)
    for part in MATHJAX_PARTS:
        copy_asset(mathjax_folder() / part, there / part)


def fold_proofs(app: Sphinx, tree: nodes.document) -> None:
    """Fold proofs marked ``dropdown``: they lack the title that folding by it needs."""
    for proof in list(tree.findall(proof_node)):
        body = proof.children[0]
        if "dropdown" in body["classes"]:
            body["classes"].remove("dropdown")
            folded = nodes.container(classes=["toggle"])
            proof.replace_self(folded)
            folded += proof


def drop_remote(app: Sphinx, problem: Exception | None) -> None:
    """Take out of the pages what would be fetched from elsewhere, or in vain.

    That is the loader of a kernel on another host, and icon fonts announced ahead
    that the theme draws as SVG anyway (from a file, a browser refuses to load them).
    """
    if problem is not None or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        kept = REMOTE.sub("", text)
        if kept != text:
            page.write_text(kept, encoding="utf-8")


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", choose_cache)
    app.connect("config-inited", drop_buttons, priority=100)
    app.connect("config-inited", use_own_mathjax)
    app.connect("autodoc-process-docstring", plain, priority=400)
    app.connect("doctree-read", fold_proofs)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_remote)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
