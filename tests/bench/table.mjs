// Tables on a terminal, and medians with their spread.

import { quantile } from '../e2e/lib/measures.mjs';

/** Prints rows of equal keys as a table. */
export function printTable(title, rows) {
  const columns = Object.keys(rows[0]);
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => String(row[column]).length)));
  const line = (cells) => cells.map((cell, index) => String(cell).padEnd(widths[index])).join('  ').trimEnd();
  console.log(`\n${title}`);
  console.log(line(columns));
  console.log(line(widths.map((width) => '-'.repeat(width))));
  for (const row of rows) console.log(line(columns.map((column) => row[column])));
}

/** The median of several runs with the lowest and the highest: "12.1 (11.8..13.0)". */
export function spread(values, digits = 1) {
  const text = (value) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))}..${text(Math.max(...values))})`;
}

/** The median; with an even number of values, the mean of the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return Number.isInteger(half) ? (sorted[half - 1] + sorted[half]) / 2 : sorted[Math.floor(half)];
}

/** "met" or "missed", for a value that should be at most `goal`. */
export function verdict(value, goal) {
  return value <= goal ? 'met' : 'missed';
}

export { quantile };
