"""Tabs of a browser that note what goes wrong."""

from __future__ import annotations


def watched(browser, viewport, complaints):
    """Return a tab that notes errors on the console, failed requests, and requests to other machines."""
    tab = browser.new_page(viewport=viewport)

    def note(text):
        complaints.append(f"{tab.url}: {text}")

    tab.on("console", lambda message: note(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: note(error))
    # when it leaves a page, the browser itself aborts requests
    tab.on(
        "requestfailed",
        lambda request: note(f"failed: {request.url}") if request.failure != "net::ERR_ABORTED" else None,
    )
    tab.on("response", lambda response: note(f"{response.status}: {response.url}") if response.status >= 400 else None)
    tab.on(
        "request",
        lambda request: None if request.url.startswith(("http://127.0.0.1", "data:", "blob:")) else note(request.url),
    )
    return tab
