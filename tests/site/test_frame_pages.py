"""Pages that no source stands for: a module's source, and what is not there."""

import pytest

from tests.site.browsing import SIZES, show, shown, violations

pytestmark = pytest.mark.browser
SOURCE = "_modules/rnn_examples/gates/lstm.html"
NOWHERE = "no/such/page.html"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [SOURCE, NOWHERE])
def test_they_are_in_the_sites_frame_and_accessible(name, size, visitor, server, html):
    page = visitor(size)
    body = (html / "404.html").read_bytes()  # as a host answers for any address
    page.route(
        server + NOWHERE,
        lambda route: route.fulfill(status=404, body=body, content_type="text/html"),
    )
    show(page, server + name)
    for scheme in ("light", "dark"):  # which a script of the site has to set
        assert violations(shown(page, scheme)) == []
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == SIZES[size][0]
    page.context.close()
