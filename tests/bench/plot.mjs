// Plots as SVG, of what is measured over time.

const WIDTH = 560;
const HEIGHT = 200;
const MARGIN = { left: 52, right: 12, top: 26, bottom: 30 };
const COLUMNS = 2;
const COLOURS = ['#1764c0', '#17a05c', '#c0392b', '#7f5fa8'];
/** The scale is logarithmic, from a tenth of a second to 20 s. */
const RANGE_MS = [100, 20_000];
const TICKS_MS = [100, 300, 1_000, 3_000, 10_000];

/** One panel for each link; `panels`: {title, lines: [{name, points: [[seconds, ms], …]}]}, seconds since the link changed. */
export function plotLatencies(title, panels) {
  const names = [...new Set(panels.flatMap(({ lines }) => lines.map(({ name }) => name)))];
  const rows = Math.ceil(panels.length / COLUMNS);
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT + 60];
  const legend = names.map((name, index) => text(20 + index * 190, 46, name, { fill: colour(index), 'font-weight': 'bold' }));
  const drawn = panels.map((panel, index) => {
    const [x, y] = [(index % COLUMNS) * WIDTH, 60 + Math.floor(index / COLUMNS) * HEIGHT];
    return `<g transform="translate(${x} ${y})">${panelOf(panel, names)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    text(20, 24, title, { 'font-size': 16 }),
    ...legend,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function panelOf({ title, lines }, names) {
  const points = lines.flatMap((line) => line.points);
  const [from, to] = [Math.min(0, ...points.map(([s]) => s)), Math.max(1, ...points.map(([s]) => s))];
  const x = (seconds) => round(MARGIN.left + ((seconds - from) / (to - from)) * (WIDTH - MARGIN.left - MARGIN.right));
  const y = (ms) => {
    const [least, most] = RANGE_MS.map(Math.log);
    const share = (Math.log(Math.min(Math.max(ms, RANGE_MS[0]), RANGE_MS[1])) - least) / (most - least);
    return round(HEIGHT - MARGIN.bottom - share * (HEIGHT - MARGIN.top - MARGIN.bottom));
  };
  const grid = TICKS_MS.map((ms) => `<path d="M${MARGIN.left} ${y(ms)}H${WIDTH - MARGIN.right}" stroke="#ddd"/>${text(MARGIN.left - 6, y(ms) + 4, `${ms / 1_000} s`, { 'text-anchor': 'end' })}`);
  const step = to - from > 30 ? 10 : 5;
  for (let second = Math.ceil(from / step) * step; second <= to; second += step) grid.push(text(x(second), HEIGHT - 12, second, { 'text-anchor': 'middle' }));
  const change = `<path d="M${x(0)} ${MARGIN.top}V${HEIGHT - MARGIN.bottom}" stroke="#999" stroke-dasharray="3 3"/>`;
  const drawn = lines
    .filter((line) => line.points.length > 0)
    .map(({ name, points: [first, ...others] }) => {
      const path = `M${x(first[0])} ${y(first[1])}${others.map(([s, ms]) => `L${x(s)} ${y(ms)}`).join('')}`;
      return `<path d="${path}" fill="none" stroke="${colour(names.indexOf(name))}"/>`;
    });
  return [text(MARGIN.left, 16, title, { 'font-weight': 'bold' }), ...grid, change, ...drawn].join('\n');
}

const colour = (index) => COLOURS[index % COLOURS.length];
const round = (value) => Math.round(value * 10) / 10;

function text(x, y, content, attributes = {}) {
  const all = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`).join('');
  const escaped = String(content).replace(/[&<>]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[sign]);
  return `<text x="${x}" y="${y}"${all}>${escaped}</text>`;
}
