// What the frame of a page does. Its two drawers are popovers, which the browser
// itself opens and closes; all text is there without this file.
(() => {
  const html = document.documentElement;

  // The menu shows where one is, without moving the page.
  const menu = document.querySelector(".menu");
  function findCurrent() {
    const current = menu?.querySelector("a.current");
    if (!current) return;
    const { top } = current.getBoundingClientRect();
    menu.scrollTop += top - menu.getBoundingClientRect().top - menu.clientHeight / 2;
  }
  findCurrent();
  menu?.addEventListener("toggle", findCurrent);

  // A link to a place on this page closes the drawer that it stands in.
  document.addEventListener("click", ({ target }) => {
    const drawer = target.closest("a[href]")?.closest(".drawer:popover-open");
    drawer?.hidePopover();
  });

  // A link to what is folded opens it.
  function unfold() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    let fold = target?.closest("details");
    if (!fold) return;
    for (; fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  }
  unfold();
  addEventListener("hashchange", unfold);

  // The contents mark the section whose heading was passed last.
  const entries = [...document.querySelectorAll(".bd-toc a[href^='#']")]
    .map((link) => [link, document.getElementById(decodeURIComponent(link.hash.slice(1)))])
    .filter(([, section]) => section);
  let marked = null;
  function mark() {
    const line = parseFloat(getComputedStyle(html).scrollPaddingTop) + 8;
    const passed = entries.filter(([, s]) => s.getBoundingClientRect().top <= line);
    const link = passed.at(-1)?.[0];
    if (link === marked) return;
    marked?.removeAttribute("aria-current");
    link?.setAttribute("aria-current", "true");
    marked = link;
  }

  // What is wider than its place shows so at its edge, and scrolls by keys.
  const wide = document.querySelectorAll(
    "article pre, article div.math, .pst-scrollable-table-container, .figure-scroll",
  );
  function fade(box) {
    const hidden = box.scrollWidth - box.clientWidth;
    const scrolls = hidden > 1;
    box.classList.toggle("more-left", scrolls && box.scrollLeft > 1);
    box.classList.toggle("more-right", scrolls && box.scrollLeft < hidden - 1);
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
  const sizes = new ResizeObserver((all) => all.forEach(({ target }) => fade(target)));
  for (const box of wide) {
    sizes.observe(box);
    box.addEventListener("scroll", () => fade(box), { passive: true });
  }
  // A font that arrives widens what is in a box, not the box.
  document.fonts.addEventListener("loadingdone", () => wide.forEach(fade));

  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      mark();
    });
  }, { passive: true });
  mark();
})();
