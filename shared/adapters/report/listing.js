// A table of thousands of lines: filtered, sorted, and drawn a hundred lines at a time as one comes near its end.

const AT_ONCE = 100;
const ON_PAPER = 500;

/** An element with its attributes and what is in it; texts become text, never markup. */
function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(key, value);
  made.append(...content.map((each) => (each instanceof Node ? each : shown(each))));
  return made;
}

/** Says what a table is where the style makes blocks of it. */
function keepRoles(table) {
  const roles = { THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };
  table.setAttribute("role", "table");
  for (const each of table.querySelectorAll("thead, tbody, tr, td")) each.setAttribute("role", roles[each.tagName]);
  for (const each of table.querySelectorAll("th")) each.setAttribute("role", each.scope === "row" ? "rowheader" : "columnheader");
}

class Listing {
  /** `columns`: {key: {value, cell}}; `detail` draws what a line opens to; `first` is the filter that holds at first. */
  constructor(part, rows, { columns, detail, identity, haystack, orders, first = {}, saved }) {
    Object.assign(this, { part, rows, columns, detail, identity, orders, first, saved });
    this.section = document.getElementById(part);
    this.form = this.section.querySelector("form");
    this.table = this.section.querySelector("table.rows");
    this.body = this.table.tBodies[0];
    this.status = this.section.querySelector("[role=status]");
    this.more = this.section.querySelector(".more button");
    this.nothing = this.section.querySelector(".nothing");
    this.sort = { key: "", down: false };
    this.opened = "";
    this.words = new Map(rows.map((row) => [row, haystack(row).toLowerCase()]));
    this.#choices();
    this.#listen();
    for (const each of [this.form, this.section.querySelector(".bar")]) each.hidden = false;
  }

  #choices() {
    for (const select of this.form.querySelectorAll("select")) {
      const counted = new Map();
      for (const row of this.rows) if (row[select.name]) counted.set(row[select.name], (counted.get(row[select.name]) ?? 0) + 1);
      const order = this.orders[select.name];
      const values = [...counted.keys()].sort((a, b) => (order ? order.indexOf(a) - order.indexOf(b) : a < b ? -1 : 1));
      if (select.name in this.first) select.append(element("option", { value: "open" }, "open"));
      for (const value of values) select.append(element("option", { value }, `${value} (${counted.get(value)})`));
    }
  }

  #listen() {
    let waits = 0;
    this.form.addEventListener("input", () => {
      clearTimeout(waits);
      waits = setTimeout(() => this.#changed(), 80);
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", (event) => {
      event.preventDefault();
      this.apply(new URLSearchParams());
      this.#tell();
    });
    this.table.tHead.addEventListener("click", (event) => {
      const head = event.target.closest("th[data-key]");
      if (!head?.querySelector("button")) return;
      this.sort = { key: head.dataset.key, down: this.sort.key === head.dataset.key && !this.sort.down };
      this.#changed();
    });
    this.body.addEventListener("click", (event) => {
      const button = event.target.closest("button[aria-expanded]");
      if (button) this.#toggle(button);
    });
    this.more.addEventListener("click", () => {
      const from = this.drawn;
      this.draw(AT_ONCE);
      this.body.querySelectorAll("tr.line")[from]?.querySelector("button")?.focus();
    });
    this.section.querySelector("[data-save=csv]").addEventListener("click", () => this.save());
    addEventListener("beforeprint", () => this.draw(ON_PAPER - this.drawn));
  }

  /** Draws more by itself as the end comes near. */
  follow() {
    const near = new IntersectionObserver(([seen]) => seen.isIntersecting && this.draw(AT_ONCE), { rootMargin: "1200px" });
    near.observe(this.section.querySelector(".more"));
  }

  #changed() {
    this.opened = this.only = "";
    this.show();
    this.#tell();
  }

  /** Takes over what a link says. */
  apply(wanted) {
    for (const field of this.form.elements) {
      if (!field.name) continue;
      const value = wanted.get(field.name) ?? this.first[field.name] ?? "";
      if (field.tagName === "SELECT" && value && ![...field.options].some((each) => each.value === value)) {
        field.append(element("option", { value }, `${value} (0)`));
      }
      field.value = value;
    }
    this.opened = this.only = wanted.get("open") ?? "";
    this.sort = { key: wanted.get("sort") ?? "", down: wanted.get("down") === "1" };
    this.show();
  }

  /** The address of what is shown now. */
  address() {
    const said = new URLSearchParams();
    for (const { name, value } of this.form.elements) {
      if (name && value !== (this.first[name] ?? "")) said.set(name, value);
    }
    if (this.sort.key) said.set("sort", this.sort.key);
    if (this.sort.down) said.set("down", "1");
    if (this.opened) return `#${this.part}?open=${encodeURIComponent(this.opened)}`;
    return String(said) ? `#${this.part}?${said}` : `#${this.part}`;
  }

  #tell() {
    history.replaceState(null, "", this.address());
  }

  #chosen() {
    if (this.only) return this.rows.filter((row) => this.identity(row) === this.only);
    const { q, unit } = this.form.elements;
    const words = q.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fixed = [...this.form.querySelectorAll("select")].filter((each) => each.value);
    return this.rows.filter((row) => {
      if (fixed.some(({ name, value }) => (value === "open" ? row[name] === "resolved" : row[name] !== value))) return false;
      if (unit.value && !isBelow(row.ou_path, unit.value)) return false;
      const text = this.words.get(row);
      return words.every((word) => text.includes(word));
    });
  }

  /** Filters, sorts and draws anew. */
  show() {
    this.found = this.#chosen();
    const { key, down } = this.sort;
    if (key && this.columns[key]) {
      const value = this.columns[key].value;
      const sign = down ? -1 : 1;
      const pairs = this.found.map((row) => [value(row), row]);
      pairs.sort(([a], [b]) => (a < b ? -sign : a > b ? sign : 0));
      this.found = pairs.map(([, row]) => row);
    }
    for (const head of this.table.tHead.querySelectorAll("th[aria-sort]")) {
      head.setAttribute("aria-sort", head.dataset.key === key ? (down ? "descending" : "ascending") : "none");
    }
    this.body.replaceChildren();
    this.drawn = 0;
    this.status.textContent = `${this.found.length} of ${this.rows.length} ${this.part}`;
    this.draw(AT_ONCE);
  }

  /** Draws so many more lines. */
  draw(count) {
    const next = this.found.slice(this.drawn, this.drawn + Math.max(count, 0));
    this.body.append(...next.map((row, place) => this.#line(row, this.drawn + place)));
    this.drawn += next.length;
    this.table.setAttribute("aria-rowcount", this.found.length + 1);
    this.table.hidden = !this.found.length;
    this.nothing.hidden = Boolean(this.found.length);
    const left = this.found.length - this.drawn;
    this.more.hidden = left === 0;
    this.more.dataset.left = left;
    this.more.textContent = `Show more (${left} left)`;
    const open = this.opened && this.body.querySelector(`button[data-open="${CSS.escape(this.opened)}"][aria-expanded=false]`);
    if (open) this.#toggle(open, false);
  }

  #line(row, place) {
    const line = element("tr", { class: "line", role: "row", "aria-rowindex": place + 2 });
    for (const head of this.table.tHead.querySelectorAll("th")) {
      const key = head.dataset.key;
      const content = [this.columns[key].cell(row)].flat();
      const empty = content.every((each) => each.textContent === "–");
      const cell = element("td", { role: "cell", "data-label": head.textContent, class: `of-${key}${empty ? " empty" : ""}` });
      cell.append(...content);
      line.append(cell);
    }
    line.row = row;
    return line;
  }

  #toggle(button, tell = true) {
    const line = button.closest("tr");
    const opens = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", opens);
    if (opens) {
      const cell = element("td", { role: "cell", colspan: line.cells.length });
      cell.append(this.detail(line.row));
      const below = element("tr", { class: "detail", role: "row", id: button.getAttribute("aria-controls") });
      below.append(cell);
      line.after(below);
    } else {
      line.nextElementSibling.remove();
    }
    this.opened = opens ? button.dataset.open : "";
    if (tell) this.#tell();
  }

  /** Hands the lines that are found over as a file. */
  save() {
    keep(`rollcall-${this.part}.csv`, "text/csv;charset=utf-8", csvOf(this.saved, this.found));
  }
}

/** A button that opens its line. */
function opener(label, identity) {
  return element("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": `of-${identity}`, "data-open": identity }, label);
}

/** Hands a file over. */
function keep(name, type, content) {
  const link = element("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
