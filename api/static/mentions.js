// Names in a text: the marks follow the checkboxes, and the source of a page becomes its text when it is pasted.

const SOURCE = /^\s*<(?:!doctype|html|head|body|main|article|section|div|p|h[1-6]|table|ul|ol)\b/i;
const BLOCKS = "address, article, aside, blockquote, br, dd, div, dl, dt, figcaption, footer, h1, h2, h3, h4, h5, h6, header, hr, li, main, nav, ol, p, pre, section, table, td, th, tr, ul";

/** The text of a page's source. A parsed document is inert: none of its scripts run, and nothing is fetched. */
function textOf(source) {
  const page = new DOMParser().parseFromString(source, "text/html");
  for (const hidden of page.querySelectorAll("script, style, template, noscript, svg")) hidden.remove();
  for (const block of page.querySelectorAll(BLOCKS)) { block.before("\n"); block.after("\n"); }
  return page.body.textContent.replace(/[ \t]+/g, " ").replace(/ ?\n[ \n]*/g, "\n").trim();
}

for (const field of document.querySelectorAll("textarea[name=text]")) {
  field.addEventListener("paste", (event) => {
    const pasted = event.clipboardData?.getData("text/plain") ?? "";
    if (!SOURCE.test(pasted)) return;
    event.preventDefault();
    field.setRangeText(textOf(pasted), field.selectionStart, field.selectionEnd, "end");
  });
}

for (const box of document.querySelectorAll("input[data-record]")) {
  const show = () => {
    for (const mark of document.querySelectorAll(`.named[data-record="${box.dataset.record}"]`)) mark.classList.toggle("off", !box.checked);
  };
  box.addEventListener("change", show);
  show();
}

// A mark leads to its record in the list, whose box then has the focus.
for (const mark of document.querySelectorAll(".named")) {
  mark.addEventListener("click", () => {
    setTimeout(() => document.querySelector(`input[data-record="${mark.dataset.record}"]`)?.focus());
  });
}
