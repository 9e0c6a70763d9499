// The color theme. It is loaded before anything is drawn; without it, the style
// sheets follow the system by themselves.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const modes = ["auto", "light", "dark"];
  const names = { auto: "as the system", light: "light", dark: "dark" };

  function chosen() {
    try {
      const mode = localStorage.getItem("mode");
      return modes.includes(mode) ? mode : "auto";
    } catch {
      return root.dataset.mode ?? "auto"; // a browser that keeps nothing
    }
  }

  function show(mode) {
    root.dataset.mode = mode;
    root.dataset.theme = mode === "auto" ? (dark.matches ? "dark" : "light") : mode;
    const button = document.querySelector(".bar-theme");
    if (button) {
      button.ariaLabel = `Color theme: ${names[mode]}`;
      button.title = button.ariaLabel;
    }
  }

  show(chosen());
  dark.addEventListener("change", () => show(chosen()));
  addEventListener("storage", () => show(chosen())); // chosen in another tab
  addEventListener("DOMContentLoaded", () => {
    show(chosen());
    document.querySelector(".bar-theme")?.addEventListener("click", () => {
      const next = modes[(modes.indexOf(root.dataset.mode) + 1) % modes.length];
      try {
        localStorage.setItem("mode", next);
      } catch {
        root.dataset.mode = next;
      }
      show(next);
    });
  });
})();
