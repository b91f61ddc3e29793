"""Visits of pages in a real browser, which must leave no script error and no request to another host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# The cumulative layout shift.
SHIFTS = """window.shifts = 0;
new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) shifts += e.value; })
  .observe({type: "layout-shift", buffered: true})"""
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}


@contextmanager
def visits(browser: Any, server: str) -> Iterator[Callable[..., Any]]:
    """Opens pages of a server; at the end there must be no script errors and no requests to other hosts."""
    contexts, complaints = [], list[str]()

    def open_page(path: str = "", width: str = "desktop", expected: str = "nothing", **options: Any) -> Any:
        size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
        context = browser.new_context(base_url=server, viewport=size, locale="en-GB", **options)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(SHIFTS)
        page.on(
            "console",
            lambda m: complaints.append(m.text) if m.type in ("error", "warning") and expected not in m.text else None,
        )
        page.on("pageerror", lambda e: complaints.append(str(e)))
        page.on("request", lambda r: None if _is_own(r.url, server) else complaints.append(f"asks {r.url}"))
        if path:
            page.goto(path)
            page.wait_for_load_state("networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _is_own(url: str, server: str) -> bool:
    return url.startswith((server, "data:", "blob:"))
