"""What a visitor of the page does in a browser."""

from playwright.sync_api import Page


def follow(page: Page, technique: str) -> None:
    """Open a technique by the table of contents, which is a drawer on a narrow screen."""
    if page.locator("#drawer").is_visible():
        page.locator("#drawer").click()
    page.locator(f"#contents a[data-view='{technique}']").click()
