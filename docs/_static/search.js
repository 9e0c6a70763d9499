/* The search dialog: Ctrl+K, Cmd+K, `/`, or anything with data-open-search.

   What finds (MiniSearch, search_rank.js, the records) is loaded when somebody is
   about to search, so a page that is read pays nothing. Classic scripts, so that
   it works from a folder. On search.html the same field stands on the page. */
(function () {
  "use strict";

  const ROOT = new URL("../", document.currentScript.src);
  const SCRIPTS = ["_static/vendor/minisearch/index.js", "_static/search_rank.js", "search_records.js"];
  const MANY = 30; // hits on the search page
  const SHORTEST = 2; // letters from which a search begins

  let engine = null; // a promise of the search, once it is asked for

  function load() {
    const one = (path) =>
      new Promise((done, fail) => {
        const script = document.createElement("script");
        script.src = new URL(path, ROOT).href;
        script.onload = done;
        script.onerror = () => fail(new Error(`search: ${path} could not be loaded`));
        document.head.append(script);
      });
    engine ??= Promise.all(SCRIPTS.map(one)).then(() => SectionSearch.open(SECTION_RECORDS));
    return engine;
  }

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  /** Pieces {text, code, mark} as elements. */
  function shown(pieces) {
    return pieces.map(({ text, code, mark }) => {
      const inner = mark ? make("mark", {}, text) : text;
      return code ? make("code", {}, inner) : inner;
    });
  }

  /** Make one search field work; what it needs of the page around it. */
  function attach(form, { onLeave, full }) {
    const input = form.querySelector("input");
    const list = form.querySelector(".ss-hits");
    const status = form.querySelector(".ss-status");
    const foot = form.querySelector(".ss-foot");
    let search = null;
    let active = -1;

    const options = () => [...list.children];

    function activate(index) {
      const all = options();
      active = all.length ? (index + all.length) % all.length : -1;
      all.forEach((o, i) => o.setAttribute("aria-selected", i === active));
      if (active < 0) input.removeAttribute("aria-activedescendant");
      else {
        input.setAttribute("aria-activedescendant", all[active].id);
        all[active].scrollIntoView({ block: "nearest" });
      }
    }

    const link = (url, text) => make("a", { href: new URL(url, ROOT).href }, text);

    /** The pages to go to instead, as a line of links. */
    function help(words) {
      const links = search.help.flatMap(({ url, title }) => [link(url, title.replaceAll("`", "")), " "]);
      foot.replaceChildren(make("p", {}, words), make("p", { class: "ss-help" }, ...links));
    }

    function render() {
      const query = input.value.trim();
      list.replaceChildren();
      foot.replaceChildren();
      status.textContent = "";
      if (search && query.length < SHORTEST) help("Paste an error message, or go to:");
      else if (search) {
        const { hits, count, all } = search.find(input.value, full ? MANY : undefined);
        hits.forEach((hit, i) => list.append(option(hit, i)));
        const number = count === 1 ? "1 section" : `${count} sections`;
        if (!count) status.textContent = "Nothing found.";
        else if (!all) status.textContent = `No section has all of these words; ${number} with some of them.`;
        else status.textContent = `${number} found.`;
        if (!all) help("Not what you meant? Try fewer words, the name of a function, or:");
        else if (count > hits.length && !full) {
          const more = link("search.html?q=" + encodeURIComponent(query), "Show more on a page");
          foot.replaceChildren(make("p", {}, more));
        }
      }
      list.hidden = !list.children.length;
      input.setAttribute("aria-expanded", !list.hidden);
      activate(0);
    }

    function option(hit, i) {
      const where = make("span", { class: "ss-where" }, hit.page.replaceAll("`", ""));
      if (hit.section.length) where.append(" › ", make("b", {}, ...shown(hit.section)));
      const href = new URL(hit.url, ROOT).href;
      const attributes = { id: `ss-hit-${i}`, role: "option", href, tabindex: -1, class: "ss-hit" };
      return make("a", attributes, where, " ", make("span", { class: "ss-line" }, ...shown(hit.line)));
    }

    function begin(words) {
      if (words) input.value = words;
      load().then(
        (loaded) => {
          search = loaded;
          render();
        },
        (error) => {
          status.textContent = error.message;
        },
      );
    }

    input.addEventListener("input", () => {
      render();
      if (full) {
        const query = input.value.trim();
        history.replaceState(null, "", query ? "?q=" + encodeURIComponent(query) : location.pathname);
      }
    });
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || event.isComposing || active < 0) return;
      event.preventDefault();
      activate(active + step);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (active >= 0) options()[active].click();
    });
    form.addEventListener("click", (event) => {
      if (event.target.closest("a")) onLeave();
    });
    return { begin, input };
  }

  const dialog = document.getElementById("ss-dialog");
  const page = document.querySelector(".ss-live");
  const place = page || dialog;
  if (!place) return;
  const leave = () => dialog && dialog.close();
  const field = attach(place.querySelector("form"), { onLeave: leave, full: Boolean(page) });

  function open(words) {
    if (dialog && !dialog.open) dialog.showModal();
    field.begin(words);
    field.input.focus();
    field.input.select();
  }

  if (page) {
    page.hidden = false;
    document.querySelector(".ss-without").hidden = true;
    open(new URLSearchParams(location.search).get("q"));
  } else {
    dialog.querySelector(".ss-close").addEventListener("click", leave);
    dialog.addEventListener("click", (event) => event.target === dialog && leave());
  }

  document.addEventListener("keydown", (event) => {
    const command = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
    const writing = event.target.closest("input, textarea, select, [contenteditable]");
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !writing;
    if (!slash && !(command && event.key.toLowerCase() === "k")) return;
    event.preventDefault();
    if (dialog && dialog.open) leave();
    else open();
  });
  const opener = (event) => event.target.closest?.("[data-open-search]");
  document.addEventListener("click", (event) => {
    if (!opener(event)) return;
    event.preventDefault();
    open(opener(event).dataset.openSearch);
  });
  for (const hint of ["pointerover", "focusin"]) {
    document.addEventListener(hint, (event) => opener(event) && load().catch(() => 0));
  }
})();
