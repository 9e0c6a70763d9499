// A button on each block of code. What it copies runs: the imports that the block
// needs, the blocks above that it goes on from, and the block (copy_code.py).
(() => {
  "use strict";
  const PROMPT = /^(>>> ?|\.\.\. ?|\$ )/;

  function codeOf(block) {
    const lines = block.querySelector("pre").textContent.trimEnd().split("\n");
    const typed = lines.filter((line) => PROMPT.test(line));
    if (!typed.length) return lines.join("\n");
    return typed.map((line) => line.replace(PROMPT, "")).join("\n");
  }

  function neededBy(block) {
    const ids = (block.dataset.needs || "").split(" ").filter(Boolean);
    return ids.map((id) => document.getElementById(id)).filter(Boolean);
  }

  function wholeOf(block) {
    const parts = [...neededBy(block), block].map(codeOf);
    return [block.dataset.setup, ...parts].filter(Boolean).join("\n\n") + "\n";
  }

  // Without a secure context there is no navigator.clipboard.
  function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("not allowed"));
  }

  const status = document.createElement("div");
  status.setAttribute("role", "status");
  status.className = "visually-hidden";

  function say(button, words) {
    button.textContent = status.textContent = words;
    clearTimeout(button.timer);
    button.timer = setTimeout(() => {
      button.textContent = "Copy";
      status.textContent = "";
    }, 2500);
  }

  function add(highlight) {
    const block = highlight.parentElement;
    const count = neededBy(block).length;
    const more = count ? ` with ${count} ${count > 1 ? "blocks" : "block"} above` : "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copybtn";
    button.textContent = "Copy";
    button.title = count ? `Copy${more}, which it goes on from` : "Copy this code";
    button.addEventListener("click", () => {
      const focused = document.activeElement;
      copy(wholeOf(block))
        .then(() => say(button, `Copied${more}`))
        .catch(() => say(button, "Not allowed to copy"))
        .finally(() => focused.focus({ preventScroll: true }));
    });
    highlight.append(button);
  }

  document.body.append(status);
  document.querySelectorAll(":not(.output) > div.highlight").forEach(add);
})();
