// Runs before anything is drawn, so that a chosen theme never flashes in the other one.
(() => {
  try {
    const theme = JSON.parse(localStorage.getItem("arena.theme"));
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be forbidden; then the system's theme holds.
  }
})();
