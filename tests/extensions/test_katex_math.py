"""Math is rendered while building; TeX that KaTeX refuses fails at its line."""

import katex_math
import pytest


def test_html_for_the_eye_and_mathml_for_a_reader():
    html = katex_math.render(r"h_t = \tanh(x_t W^\top)")
    assert 'class="katex-html" aria-hidden="true"' in html
    assert "<math xmlns" in html and "<mi>tanh</mi>" in html


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"\frac{1}", "Expected 'EOF'|Unexpected end|KaTeX parse error"),
        (r"\notamacro x", r"Undefined control sequence: \\notamacro"),
        ("x_t é", "strict|Unicode|Accented"),
    ],
)
def test_bad_tex_raises(tex, message):
    with pytest.raises(katex_math.TexError, match=message):
        katex_math.render(tex)


def test_a_page_with_bad_tex_fails_at_its_line(site):
    site.index("a")
    site.page("a", prose="Fine: $x$.\n\n$$\n\\wrong{x}\n$$")
    done = site.build()
    assert done.returncode == 1 and not site.html.exists()
    assert "a.md:11: WARNING: KaTeX parse error: Undefined control" in done.stderr


def test_equations_are_numbered_and_linked(site):
    site.index("a")
    site.page("a", prose="$$\nx = 1\n$$ (eq-one)\n\nSee {eq}`eq-one`.")
    site.ran()
    html = site.published()["a.html"].decode()
    assert '<span class="eqno">(1)' in html and 'href="#equation-eq-one"' in html
    assert (
        'id="equation-eq-one"' in html
        and "mathjax.js" not in html
        and "tex-mml" not in html
    )


def test_another_katex(tmp_path):
    script = tmp_path / "katex.js"
    script.write_text("katex = { renderToString: (tex) => `<b>${tex}</b>` }")
    assert katex_math.render("h_t", script=str(script)) == "<b>h_t</b>"
    assert "katex-html" in katex_math.render("h_t")
