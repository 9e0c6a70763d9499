/* The field of the errors page: shows the entries that a message is about. */
(function () {
  "use strict";

  const form = document.querySelector(".error-search");
  if (!form) return;
  const field = form.querySelector("textarea");
  const status = form.querySelector("[role=status]");
  const reset = form.querySelector("button");
  /* The list of all entries, and what stands between it and the first group. */
  const before = [];
  for (let node = form.nextElementSibling; node; node = node.nextElementSibling) {
    if (node.matches("section")) break;
    before.push(node);
  }
  const groups = [...document.querySelectorAll(".error-group")];

  /* Words in small letters: no number, no punctuation, no name of one letter. */
  function words(text) {
    return text.toLowerCase().match(/[a-z_][\w.]*\w/g) || [];
  }

  /* What torch says: no traceback before it, no name of an exception. */
  function message(text) {
    const parts = text.split(/\b[\w.]*(?:Error|Exception|Warning)\b: ?/);
    return parts.length > 1 ? parts[parts.length - 1] : text;
  }

  const entries = [...document.querySelectorAll(".error-entry")].map((node) => {
    const printed = node.querySelectorAll(
      ".error-wrong .traceback pre, .error-wrong .stderr pre",
    );
    const heading = node.querySelector("h3").firstChild.textContent;
    const said = [heading, ...[...printed].map((pre) => message(pre.textContent))];
    return {
      node,
      messages: said.map((text) => new Set(words(text))),
      text: node.textContent.toLowerCase(),
    };
  });

  /* The share of a message's words that were pasted, or of the pasted words that
     are the message's, whichever is larger: one may have pasted half of it. */
  function likeness(pasted, said) {
    const both = [...said].filter((word) => pasted.has(word)).length;
    return both < 2 ? 0 : Math.max(both / said.size, both / pasted.size);
  }

  /* The entries for what was pasted: those most like it. For a few words that
     are no message: those that hold them all, the last perhaps half typed. */
  function find(text) {
    const typed = text.toLowerCase().split(/\s+/).filter(Boolean);
    const holding = entries.filter((e) => typed.every((word) => e.text.includes(word)));
    if (typed.length < 3 || holding.length) return holding;
    const pasted = new Set(words(message(text)));
    const scores = entries.map((e) =>
      Math.max(...e.messages.map((said) => likeness(pasted, said))),
    );
    const best = Math.max(...scores);
    return best < 0.6 ? [] : entries.filter((e, i) => scores[i] > best - 0.05);
  }

  function show() {
    const asked = field.value.trim() !== "";
    const found = new Set(asked ? find(field.value) : entries);
    entries.forEach((e) => { e.node.hidden = !found.has(e); });
    groups.forEach((group) => {
      group.hidden = !group.querySelector(".error-entry:not([hidden])");
    });
    before.forEach((node) => { node.hidden = asked; });
    reset.hidden = !asked;
    status.textContent = !asked
      ? `${entries.length} entries. Numbers and tracebacks do not matter.`
      : found.size
        ? `${found.size} of ${entries.length} entries`
        : "No entry has these words. Try fewer of them, or search the whole site.";
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  /* A link to an entry finds it, filtered or not. */
  window.addEventListener("hashchange", () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.closest("[hidden]")) {
      form.reset();
      show();
      target.scrollIntoView();
    }
  });

  form.hidden = false;
  field.value = new URLSearchParams(location.search).get("message") || field.value;
  show();
})();
