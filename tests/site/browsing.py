"""What the tests in a browser share: make test-browser."""

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}


def show(page, url):
    page.goto(url)
    page.wait_for_load_state("networkidle")
    return page


def shown(page, scheme, media="screen"):
    """The open page in a color scheme, which the site follows until one clicks."""
    page.emulate_media(media=media, color_scheme=scheme)
    theme = "document.documentElement.dataset.theme"
    page.wait_for_function(f"{theme} == '{scheme}'", timeout=5000)
    # Half way from one color to the other, the contrast is neither's.
    moving = "document.getAnimations().map(a => a.finished)"
    page.evaluate(f"Promise.allSettled({moving}).then(() => 0)")
    return page
