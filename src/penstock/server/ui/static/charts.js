// Draws charts when they come into view: plotly is read only then, from this server. The data is
// JSON in the page or under an address of this server; the look comes from the style sheet.

const USUAL_HEIGHT = 440; // of figures, in pixels

const style = () => {
  const css = getComputedStyle(document.documentElement);
  const colour = (name) => css.getPropertyValue(name).trim();
  return {
    text: colour("--dim"), strong: colour("--text"), line: colour("--line"),
    surface: colour("--surface"),
    colours: ["--accent", "--cached", "--warn", "--ok", "--bad", "--run", "--idle"].map(colour),
    font: css.getPropertyValue("--sans").trim(),
  };
};

let loading = null;
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.plotly;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly could not be read"));
    document.head.append(script);
  });
  return loading;
}

const axis = (look, given = {}) => ({
  ...given,
  gridcolor: look.line, linecolor: look.line, zerolinecolor: look.line, tickcolor: look.line,
  automargin: true,
  title: given.title ? { ...(typeof given.title === "string" ? { text: given.title } : given.title), font: { size: 11.5 } } : undefined,
});

/** How bright a colour such as #1f2933 is, 0 to 1; null for what is written otherwise. */
function brightness(colour) {
  const parts = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (!parts) return null;
  const [red, green, blue] = parts.slice(1).map((part) => parseInt(part, 16) / 255);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Figures are drawn for white paper: on dark paper their ink becomes light. Fills stay. */
function readable(value, look) {
  if (brightness(look.surface) === null || brightness(look.surface) > 0.5) return value;
  for (const [key, item] of Object.entries(value)) {
    if (item && typeof item === "object" && key !== "colorscale") readable(item, look);
    else if (key === "color" && typeof item === "string" && (brightness(item) ?? 1) < 0.18) value[key] = look.text;
  }
  return value;
}

function layoutOf(figure, look) {
  const given = figure.layout ?? {};
  const layout = {
    ...given,
    title: undefined, width: undefined, height: undefined, autosize: true,
    uirevision: "same", // a zoom stays when points are added
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: look.font, size: 11, color: look.text },
    colorway: look.colours,
    margin: { l: 44, r: 12, t: 10, b: 34 },
    hoverlabel: { bgcolor: look.surface, bordercolor: look.line, font: { color: look.strong, size: 12 } },
    showlegend: given.showlegend ?? undefined,
    legend: { orientation: "h", x: 0, y: 1.01, xanchor: "left", yanchor: "bottom", bgcolor: "rgba(0,0,0,0)", font: { size: 11 } },
  };
  for (const name of Object.keys(given)) {
    if (/^[xy]axis\d*$/.test(name)) layout[name] = axis(look, given[name]);
  }
  layout.xaxis = axis(look, given.xaxis);
  layout.yaxis = axis(look, given.yaxis);
  return layout;
}

async function draw(figureElement) {
  const plot = figureElement.querySelector(".plot");
  try {
    const figure = figureElement.figureData ?? (await readFigure(figureElement));
    figureElement.figureData = figure;
    const Plotly = await plotly();
    plot.querySelectorAll("noscript").forEach((note) => note.remove());
    const look = style();
    const own = readable(structuredClone(figure), look);
    // A figure of many rows, such as the importance of columns, asks for more than the usual height.
    const height = own.layout?.height ?? 0;
    if (height > USUAL_HEIGHT) plot.style.height = `${Math.round(height * 0.75)}px`;
    const traces = own.data ?? [];
    for (const trace of traces) {
      if (trace.type === "scatter" && !trace.line) trace.line = { width: 1.8 };
      if (trace.colorbar || trace.type === "heatmap") trace.colorbar = { ...trace.colorbar, thickness: 10, outlinewidth: 0, title: undefined };
    }
    await Plotly.react(plot, traces, layoutOf(own, look), {
      displaylogo: false, responsive: true, displayModeBar: false,
    });
    figureElement.dataset.drawn = "yes";
  } catch (error) {
    plot.textContent = `This chart cannot be drawn: ${error.message}`;
  }
}

async function readFigure(element) {
  const inline = element.querySelector('script[type="application/json"]');
  if (inline) return JSON.parse(inline.textContent);
  const answer = await fetch(element.dataset.chartSrc);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.json();
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    draw(entry.target);
  }
}, { rootMargin: "300px" });

/** A report's figures: one frame each, in the order in which the report gives them. */
async function showFigures(group) {
  try {
    const answer = await fetch(group.dataset.figures);
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    const figures = await answer.json();
    group.replaceChildren();
    for (const [name, data] of Object.entries(figures)) {
      const frame = document.createElement("figure");
      frame.className = "chart";
      const caption = document.createElement("figcaption");
      const title = data.layout?.title;
      caption.textContent = (typeof title === "string" ? title : title?.text) || name.replaceAll("_", " ");
      const plot = document.createElement("div");
      plot.className = "plot";
      frame.append(caption, plot);
      frame.figureData = data;
      frame.dataset.chart = name;
      group.append(frame);
      seen.observe(frame);
    }
  } catch (error) {
    group.textContent = `The figures cannot be shown: ${error.message}`;
  }
}

const groups = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    groups.unobserve(entry.target);
    showFigures(entry.target);
  }
}, { rootMargin: "600px" });

for (const figure of document.querySelectorAll("[data-chart], [data-chart-src]")) seen.observe(figure);
for (const group of document.querySelectorAll("[data-figures]")) groups.observe(group);
// A live page brings charts and points later.
document.addEventListener("chart:new", (event) => seen.observe(event.target));
document.addEventListener("chart:changed", (event) => {
  event.target.figureData = null;
  if (event.target.dataset.drawn) draw(event.target);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const figure of document.querySelectorAll("[data-drawn]")) draw(figure);
});
