// Draws the charts. The numbers are those of the tables in the page, so that both say the same.

const COLOURS = {
  scored: "--c1", "could-not-compute": "--c2", "dead-letter": "--c3", "sent-on": "--c4",
  1: "--c4", 2: "--c1", 3: "--c4", 4: "--c2", 5: "--c3", // classes of HTTP status codes
};
const OTHERS = ["--c1", "--c2", "--c5", "--c6", "--c3", "--c4"];
const drawn = new Map(); // by figure: its chart, and what it shows

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const percent = (share) => `${Math.round(1000 * share) / 10}%`;

/** A table's column names, and its rows of cells. */
function read(table) {
  const number = (text) => (text === undefined ? null : Number(text));
  const cell = ({ textContent, dataset }) => ({
    text: textContent.trim(), value: number(dataset.value), low: number(dataset.low), high: number(dataset.high),
  });
  return {
    columns: [...table.tHead.rows[0].cells].map((head) => head.textContent.trim()),
    rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map(cell)),
  };
}

/** The rows of each version, which is the first cell. */
function byVersion(rows) {
  const found = new Map();
  for (const row of rows) found.set(row[0].text, [...(found.get(row[0].text) ?? []), row]);
  return [...found];
}

/** Ours in every chart: intervals at the points of a dataset with `ends`; behind a line also the band between them. */
const ours = {
  id: "ours",
  beforeInit({ legend }) { // some air between the legend and the highest number of the axis
    const fit = legend.fit;
    legend.fit = function () { fit.call(this); this.height += 8; };
  },
  beforeDatasetsDraw(chart) {
    const { ctx, chartArea, scales } = chart;
    chart.data.datasets.forEach((dataset, index) => {
      if (!dataset.ends || !chart.isDatasetVisible(index)) return;
      const points = chart.getDatasetMeta(index).data
        .map(({ x }, i) => ({ x, ends: dataset.ends[i] }))
        .filter(({ ends }) => ends && ends[0] !== null && ends[1] !== null)
        .map(({ x, ends }) => ({ x, low: scales.y.getPixelForValue(ends[0]), high: scales.y.getPixelForValue(ends[1]) }));
      ctx.save();
      ctx.beginPath();
      ctx.rect(chartArea.left, chartArea.top, chartArea.width, chartArea.height);
      ctx.clip();
      ctx.strokeStyle = ctx.fillStyle = dataset.borderColor;
      if (dataset.type === "line" && points.length > 1) {
        ctx.globalAlpha = 0.13;
        ctx.beginPath();
        points.forEach(({ x, high }) => ctx.lineTo(x, high));
        points.reverse().forEach(({ x, low }) => ctx.lineTo(x, low));
        ctx.fill();
      }
      ctx.globalAlpha = 0.55;
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      points.forEach(({ x, low, high }) => { ctx.moveTo(x, low); ctx.lineTo(x, high); });
      ctx.stroke();
      ctx.restore();
    });
  },
};

/** What all charts have in common: calm, no motion, the page's colours. */
function options({ legend = true, x = {}, y = {} } = {}) {
  const text = colour("--soft"), grid = { color: colour("--line"), tickLength: 0 };
  const ticks = { color: text, padding: 6, font: { size: 11.5 } };
  return {
    animation: false, maintainAspectRatio: false, interaction: { mode: "index", intersect: false },
    plugins: {
      legend: { display: legend, align: "start", labels: { color: text, boxWidth: 10, boxHeight: 10, padding: 12, font: { size: 12 } } },
      tooltip: { animation: false, ...(y.tooltip ? { callbacks: y.tooltip } : {}) },
    },
    scales: {
      x: { stacked: x.stacked, ...x.scale, grid: { display: false }, border: { color: colour("--line") },
        title: { display: Boolean(x.title), text: x.title, color: text }, ticks: { ...ticks, maxRotation: 0, autoSkipPadding: 14, ...x.ticks } },
      y: { stacked: y.stacked, ...y.scale, grid, border: { display: false },
        title: { display: Boolean(y.title), text: y.title, color: text }, ticks: { ...ticks, maxTicksLimit: 6, ...y.ticks } },
    },
  };
}

const KINDS = {
  /** Bars of each hour, parted by what the columns count. */
  stacked({ columns, rows }) {
    const names = columns.slice(1);
    const datasets = names.map((name, i) => ({
      label: name, data: rows.map((row) => row[i + 1].value), categoryPercentage: 0.92, barPercentage: 0.92,
      backgroundColor: colour(COLOURS[name] ?? COLOURS[/^\d/.test(name) ? name[0] : ""] ?? OTHERS[i % OTHERS.length]),
    }));
    const hour = function (index) {
      const [, day, month, time] = this.getLabelForValue(index).match(/(\S+) (\S+) (\S+)/) ?? [];
      return time === "00:00" ? `${day} ${month}` : time;
    };
    return { type: "bar", data: { labels: rows.map(([first]) => first.text), datasets },
      options: options({ x: { stacked: true, ticks: { callback: hour } }, y: { stacked: true, ticks: { precision: 0 } } }) };
  },

  /** A pair of bars for each bin: training, now. */
  shares({ rows }) {
    const bars = (label, column, name) => ({ label, data: rows.map((row) => row[column].value), backgroundColor: colour(name),
      categoryPercentage: 0.82, barPercentage: 0.95 });
    return { type: "bar",
      data: { labels: rows.map(([first]) => first.text), datasets: [bars("training", 1, "--c4"), bars("now", 2, "--c1")] },
      options: options({ y: { ticks: { callback: percent }, tooltip: { label: ({ dataset, raw }) => `${dataset.label}: ${percent(raw)}` } } }) };
  },

  /** A line for each version, week by week, with its interval. */
  lines({ columns, rows }, column) {
    const at = columns.indexOf(column), weeks = [...new Set(rows.map((row) => row[1].text))].sort();
    const datasets = byVersion(rows).map(([version, of], i) => {
      const cells = weeks.map((week) => of.find((row) => row[1].text === week)?.[at]);
      return { type: "line", label: version, data: cells.map((cell) => cell?.value ?? null), spanGaps: true,
        ends: cells.map((cell) => cell && [cell.low, cell.high]), borderColor: colour(OTHERS[i % OTHERS.length]),
        backgroundColor: colour(OTHERS[i % OTHERS.length]), borderWidth: 2, pointRadius: 3, pointHoverRadius: 5 };
    });
    const ends = datasets.flatMap(({ data, ends: pairs }) => [...data, ...pairs.flat()]).filter((end) => end !== null && end !== undefined);
    const scale = ends.length ? { suggestedMin: Math.min(...ends), suggestedMax: Math.max(...ends) } : {};
    return { type: "line", data: { labels: weeks, datasets },
      options: options({ y: { scale } }) };
  },

  /** How many left of those with like scores, beside the line on which they all should be. */
  calibration({ rows }) {
    const datasets = byVersion(rows).map(([version, of], i) => {
      const known = of.filter((row) => row[2].value !== null);
      return { type: "scatter", label: version, data: known.map((row) => ({ x: row[1].value, y: row[2].value })),
        ends: known.map((row) => [row[2].low, row[2].high]), borderColor: colour(OTHERS[i % OTHERS.length]),
        backgroundColor: colour(OTHERS[i % OTHERS.length]), pointRadius: 4, pointHoverRadius: 6 };
    });
    const most = Math.max(0.1, ...datasets.flatMap(({ data }) => data.flatMap(({ x, y }) => [x, y])));
    const end = [0.1, 0.2, 0.4, 0.6, 0.8].find((edge) => most <= edge) ?? 1;
    const line = { type: "line", label: "as predicted", data: [{ x: 0, y: 0 }, { x: end, y: end }], borderColor: colour("--c4"),
      backgroundColor: colour("--c4"), borderWidth: 1.5, borderDash: [5, 4], pointRadius: 0, pointHitRadius: 0 };
    const axis = (title) => ({ title, scale: { type: "linear", min: 0, max: end }, ticks: { callback: percent } });
    const tooltip = { label: ({ dataset, raw }) => `${dataset.label}: predicted ${percent(raw.x)}, left ${percent(raw.y)}` };
    const settings = options({ x: axis("predicted"), y: { ...axis("left"), tooltip } });
    settings.interaction = { mode: "nearest", intersect: true };
    return { type: "scatter", data: { datasets: [...datasets, line] }, options: settings };
  },
};

/** Draw every chart that can be seen and of which the numbers, or the colours, are new. */
export function draw({ anew = false } = {}) {
  for (const [figure, { chart }] of drawn) {
    if (!figure.isConnected) { chart.destroy(); drawn.delete(figure); }
  }
  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const folded = figure.closest("details:not([open])");
    const table = figure.dataset.table ? document.getElementById(figure.dataset.table) : figure.parentElement.querySelector("table");
    figure.hidden = table === null;
    if (table === null || folded) continue;
    const shown = table.innerHTML, before = drawn.get(figure);
    if (before?.shown === shown && !anew) continue;
    const { type, data, options: settings } = KINDS[figure.dataset.chart](read(table), figure.dataset.column);
    before?.chart.destroy();
    drawn.set(figure, { shown, chart: new Chart(figure.querySelector("canvas"), { type, data, options: settings, plugins: [ours] }) });
  }
}
