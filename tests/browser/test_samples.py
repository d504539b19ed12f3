import re
import struct
import zlib

from playwright.sync_api import expect

from support.browser import assert_accessible
from support.people import unique


def _png(shade: int, size: int = 32) -> bytes:
    """A grey picture, written by hand so that the test needs no image library."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes([shade]) * size for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_images_are_uploaded_seen_and_opened(page, site) -> None:
    name = unique("hauls")
    page.goto("/ui/#/datasets")
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill(name)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=name).wait_for()
    expect(page.get_by_text("no samples yet")).to_be_visible()
    files = [
        {"name": f"haul {shade} ä.png", "mimeType": "image/png", "buffer": _png(shade)} for shade in range(0, 240, 20)
    ]
    page.locator("input[type=file]").set_input_files(
        [*files, {"name": "a.txt", "mimeType": "text/plain", "buffer": b"x"}]
    )
    expect(page.get_by_text("12 samples")).to_be_visible()
    expect(page.get_by_text("This is not an image.")).to_be_visible()
    pictures = page.locator(".tile img")
    expect(pictures).to_have_count(12)
    for number in range(12):
        expect(pictures.nth(number)).to_have_js_property("naturalWidth", 32)
    assert_accessible(page)
    page.get_by_role("button", name="haul 40 ä.png").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img", name="haul 40 ä.png")).to_be_visible()
    expect(page).to_have_url(re.compile("sample="))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
