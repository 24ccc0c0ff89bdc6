// Starts Swagger UI; a file of its own because the page allows no inline script.
// Deep links are off: they would put a link into each operation's button, which no screen reader can tell apart.
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  deepLinking: false,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});

// What scrolls can be reached by the keyboard, every field has a label, headings go down a level at a time, and the
// tables of answers are no landmarks of their own.
function mend() {
  const all = (words) => document.querySelectorAll(`#swagger-ui ${words}`);
  for (const found of all("pre:not([tabindex])")) found.tabIndex = 0;
  for (const found of all("[role=region]")) found.removeAttribute("role");
  for (const found of all("h3.opblock-tag:not([aria-level])")) level(found, 2);
  for (const found of all("h4:not([aria-level])")) level(found, 3);
  for (const found of all("h5:not([aria-level])")) level(found, 4);
  for (const found of all("textarea:not([aria-label])")) found.setAttribute("aria-label", "Body of the request");
  for (const found of all("select:not([aria-label])")) found.setAttribute("aria-label", "Kind of content");
  for (const found of all("input:not([aria-label])")) found.setAttribute("aria-label", found.placeholder || "Value");
}

function level(heading, number) {
  heading.setAttribute("role", "heading");
  heading.setAttribute("aria-level", String(number));
}

new MutationObserver(mend).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });
