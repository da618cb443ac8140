// What a script adds to pages that work without it: sorting and filtering of small tables,
// copying of commands, and reading a live page again. Every value comes from the page itself.

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** A cell's sort value: a number where it reads as one, the exact time of a time, else its text. */
function cellValue(row, column) {
  const cell = row.cells[column];
  if (!cell) return "";
  const time = cell.querySelector("time");
  if (time) return Date.parse(time.dateTime);
  const text = cell.textContent.trim();
  const plain = text.replace(/[\u2009\u202f%▴▾]/g, "").replace("−", "-").trim();
  return plain !== "" && !Number.isNaN(Number(plain)) ? Number(plain) : text;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return collator.compare(a, b);
}

function sortTable(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, index) => [cellValue(row, column), index, row]);
  rows.sort((a, b) => (descending ? -1 : 1) * compare(a[0], b[0]) || a[1] - b[1]);
  body.append(...rows.map((entry) => entry[2]));
  for (const [index, head] of [...table.tHead.rows[0].cells].entries()) {
    if (index === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
    const arrow = head.querySelector(".arrow");
    if (arrow) arrow.textContent = index === column && !descending ? "▲" : "▼";
  }
}

function makeSortable(table) {
  if (!table.tHead || table.tBodies[0].rows.length < 2) return;
  for (const [index, head] of [...table.tHead.rows[0].cells].entries()) {
    const label = head.textContent.trim();
    if (!label) continue;
    const button = document.createElement("button");
    button.type = "button";
    const arrow = document.createElement("span");
    arrow.className = "arrow";
    arrow.textContent = "▼";
    arrow.setAttribute("aria-hidden", "true");
    button.append(label, arrow);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sortTable(table, index, now ? now === "ascending" : head.classList.contains("num"));
    });
  }
}

function makeFilterable(table) {
  const input = document.createElement("input");
  input.type = "search";
  input.className = "table-filter";
  input.placeholder = `Filter ${table.tBodies[0].rows.length} rows`;
  input.setAttribute("aria-label", "Filter the rows");
  (table.closest(".scroll") ?? table).before(input);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}

function makeCopy(button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1200);
  });
}

/** A button that makes sense only when so many boxes of its form are ticked. */
function needTicks(button) {
  const check = () => {
    button.disabled = button.form.querySelectorAll("input:checked").length !== Number(button.dataset.needs);
  };
  button.form.addEventListener("change", check);
  check();
}

/** A series over steps: the slider says which of its items is seen. */
function makeSeries(figure) {
  const slider = figure.querySelector("input[type=range]");
  if (!slider) return;
  const items = [...figure.querySelectorAll(".item")];
  slider.hidden = false;
  slider.addEventListener("input", () => {
    for (const [index, item] of items.entries()) item.hidden = index + 1 !== Number(slider.value);
    const step = items[slider.value - 1].dataset.step;
    figure.querySelector("output").textContent = step;
    slider.setAttribute("aria-valuetext", step);
  });
}

function enhance(root) {
  for (const table of root.querySelectorAll("table[data-sortable]")) makeSortable(table);
  for (const table of root.querySelectorAll("table[data-filterable]")) makeFilterable(table);
  for (const figure of root.querySelectorAll("[data-series]")) makeSeries(figure);
  for (const button of root.querySelectorAll("[data-copy]")) makeCopy(button);
  for (const button of root.querySelectorAll("[data-needs]")) needTicks(button);
  for (const select of root.querySelectorAll("select[data-submit]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  for (const log of root.querySelectorAll("[data-tail]")) log.scrollTop = log.scrollHeight;
}

/** Open the fold that a link points into. */
function openTarget() {
  let name = location.hash.slice(1);
  try {
    name = decodeURIComponent(name);
  } catch {
    // Not written by us: look for it as it stands.
  }
  const target = document.getElementById(name);
  for (let fold = target?.closest("details"); fold; fold = fold.parentElement.closest("details")) {
    fold.open = true;
  }
  if (target) target.scrollIntoView();
}

/** Read the page again and put in the parts that changed, leaving what the reader does alone. */
async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return true;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["head", "error", "graph-card", "steps-card", "metrics-card", "more-charts", "runs", "tabs", "total", "traffic", "counts", "alerts", "events", "predictions", "log"]) {
    const now = document.getElementById(id);
    const next = fresh.getElementById(id);
    if (!now || !next || isTyping(now)) continue;
    replace(now, next);
  }
  refreshCharts(document.getElementById("metric-charts"), fresh.getElementById("metric-charts"));
  refreshFolds(document.getElementById("more"), fresh.getElementById("more"));
  return fresh.body.hasAttribute("data-live");
}

function replace(now, next) {
  keepChoices(now, next);
  const focused = focusedIn(now);
  const logs = [...now.querySelectorAll("[data-tail]")];
  const atEnd = logs.every(isAtEnd);
  const places = logs.map((log) => log.scrollTop);
  now.replaceWith(document.adoptNode(next));
  enhance(next);
  if (focused) next.querySelector(focused)?.focus({ preventScroll: true });
  for (const [index, log] of [...next.querySelectorAll("[data-tail]")].entries()) {
    log.scrollTop = atEnd ? log.scrollHeight : (places[index] ?? 0);
  }
}

/** Give charts their new points where they stand, so that they do not flicker; add new ones. */
function refreshCharts(now, next) {
  if (!now || !next) return;
  for (const figure of [...next.querySelectorAll("[data-key]")]) {
    const old = now.querySelector(`[data-key="${CSS.escape(figure.dataset.key)}"]`);
    if (!old) {
      now.append(document.adoptNode(figure));
      figure.dispatchEvent(new CustomEvent("chart:new", { bubbles: true }));
      continue;
    }
    old.querySelector("figcaption").replaceWith(document.adoptNode(figure.querySelector("figcaption")));
    const points = figure.querySelector("script").textContent;
    if (points === old.querySelector("script").textContent) continue;
    old.querySelector("script").textContent = points;
    old.dispatchEvent(new CustomEvent("chart:changed", { bubbles: true }));
  }
}

/** The console, nested runs and the machine: each fold by itself, new ones are added. */
function refreshFolds(now, next) {
  if (!now || !next) return;
  for (const fold of [...next.children]) {
    const old = document.getElementById(fold.id);
    if (!old) {
      now.append(document.adoptNode(fold));
      enhance(fold);
      for (const figure of fold.querySelectorAll("[data-chart]")) {
        figure.dispatchEvent(new CustomEvent("chart:new", { bubbles: true }));
      }
    } else if (fold.querySelector("[data-chart]")) {
      refreshCharts(old.querySelector(".charts"), fold.querySelector(".charts"));
    } else if (old.textContent !== fold.textContent) {
      fold.open = old.open;
      replace(old, fold);
    }
  }
}

const isAtEnd = (log) => log.scrollTop + log.clientHeight >= log.scrollHeight - 8;

const isTyping = (part) => part.contains(document.activeElement) && document.activeElement.matches("[type=search], [type=text]");

/** How to find the focused fold or box again in a part that was read anew. */
function focusedIn(part) {
  const focus = document.activeElement;
  if (!part.contains(focus)) return null;
  const fold = focus.closest("details[data-keep]");
  if (focus.matches("summary") && fold) return `details[data-keep="${CSS.escape(fold.dataset.keep)}"] > summary`;
  return focus.matches("input") ? `input[value="${CSS.escape(focus.value)}"]` : null;
}

function keepChoices(now, next) {
  for (const fold of now.querySelectorAll("details[data-keep]")) {
    const same = next.querySelector(`details[data-keep="${CSS.escape(fold.dataset.keep)}"]`);
    if (same) same.open = fold.open;
  }
  for (const box of now.querySelectorAll("input:checked")) {
    const same = next.querySelector(`input[name="${CSS.escape(box.name)}"][value="${CSS.escape(box.value)}"]`);
    if (same) same.checked = true;
  }
}

async function stayLive(seconds) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    if (document.hidden) continue;
    try {
      if (!(await refresh())) break;
    } catch {
      // The server is away for a moment; the next round tries again.
    }
  }
  location.reload(); // what ran has ended: show the whole page as it is now
}

enhance(document);
openTarget();
window.addEventListener("hashchange", openTarget);
// A click beside an open menu closes it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu-box[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
if (document.body.dataset.live) stayLive(Number(document.body.dataset.live));
