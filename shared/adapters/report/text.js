"use strict";
// Words and cells: what is shown, what a spreadsheet gets, what a link says. Nothing here knows the document.

const HIDDEN =
  /[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]|\p{Cs}/gu;
const FORMULA = /^[\s'"]*[=+\-@|%\uff1d\uff0b\uff0d\uff20]/u;
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** Text from outside as people may see it: what would be hidden is written as its escape. */
function shown(text) {
  return String(text ?? "").replace(HIDDEN, (letter) => `\\u{${letter.codePointAt(0).toString(16)}}`);
}

/** A cell that no spreadsheet takes for a formula. */
function csvCell(value) {
  const text = shown(value);
  return `"${(FORMULA.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

/** Rows with a head, as RFC 4180 has them; the mark in front tells spreadsheets that it is UTF-8. */
function csvOf(columns, rows) {
  const lines = [columns, ...rows.map((row) => columns.map((column) => cellOf(row[column])))];
  return `\ufeff${lines.map((line) => line.map(csvCell).join(",")).join("\r\n")}\r\n`;
}

/** A value with parts as one text. */
function cellOf(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(cellOf).join("; ");
  return Object.entries(value).map(([name, each]) => `${name}: ${cellOf(each)}`).join("; ");
}

/** The part of the page that a link names, and what it filters by. */
function readHash(hash) {
  const [part, query] = hash.replace(/^#/, "").split("?", 2);
  return { part, wanted: new URLSearchParams(query ?? "") };
}

/** A day, or with `whole` a moment. */
function moment(text, whole = false) {
  if (!text) return "–";
  return whole ? `${text.slice(0, 10)} ${text.slice(11, 16)} UTC` : text.slice(0, 10);
}

/** A span of seconds in its two largest units. */
function duration(seconds) {
  let left = Math.round(seconds);
  const parts = [];
  for (const [size, name] of UNITS) {
    if (left >= size) {
      parts.push(`${Math.floor(left / size)} ${name}`);
      left %= size;
    } else if (parts.length) break;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

/** Whether a path is a unit or lies below it. */
function isBelow(path, unit) {
  const whole = unit.replace(/\/+$/, "");
  if (whole === "") return path !== "";
  return path === whole || path.startsWith(`${whole}/`);
}
