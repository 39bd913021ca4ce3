// The page: unpacks the data, draws accounts and findings, follows links.

const SEVERITIES = ["high", "medium", "low"];
const STANDINGS = ["open", "new", "still", "unseen", "resolved"];
const GROUPS = ["failed", "under_way", "connected", "left_out"];
/** As the data write times; all of them are UTC. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)$/;
const LINKS = {
  portal: "Azure portal",
  cloudformation: "AWS CloudFormation, StackSets",
  project: "Google Cloud console",
  documentation: "Documentation",
};

/** The typed report, and its text. */
async function unpack() {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const text = await new Response(plain).text();
  return { text, report: JSON.parse(text) };
}

function who({ name, account }) {
  if (!account) return [element("span", { class: "dim" }, "–")];
  const code = element("code", {}, account);
  return name ? [element("bdi", { class: "name" }, name), " ", code] : [code];
}

function mark(kind, text = kind) {
  return element("span", { class: `mark ${kind}` }, text.replaceAll("_", " "));
}

/** A sentence whose commands stand between backticks. */
function prose(text) {
  return element("p", {}, ...text.split("`").map((part, place) => (place % 2 ? element("code", {}, part) : part)));
}

/** A time to the minute; whatever else there is stays as it is. */
function whole(text) {
  return TIME.test(text) ? moment(text, true) : text;
}

/** Long ids and paths break at their slashes. */
function broken(text) {
  const made = element("span");
  for (const part of text.split(/(?<=\/)/)) made.append(shown(part), element("wbr"));
  return made;
}

function terms(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) {
    if (value) list.append(element("dt", {}, name.replaceAll("_", " ")), element("dd", {}, broken(whole(value))));
  }
  return list;
}

function linked(links) {
  const list = element("ul", { class: "links" });
  for (const [name, address] of Object.entries(links)) {
    if (!address.startsWith("https://")) continue;
    const link = element("a", { href: address, target: "_blank", rel: "noreferrer noopener" }, LINKS[name] ?? name);
    list.append(element("li", {}, link));
  }
  return list;
}

/** Copies, and says so: on the button, and to who does not see it. */
async function copy(button, text) {
  const said = button.textContent;
  await navigator.clipboard.writeText(text);
  button.textContent = document.getElementById("said").textContent = "Copied";
  setTimeout(() => {
    button.textContent = said;
    document.getElementById("said").textContent = "";
  }, 2000);
}

function command(text) {
  const line = element("p", { class: "command" }, element("code", {}, text));
  if (navigator.clipboard) {
    const button = element("button", { type: "button", "aria-label": `Copy: ${text}` }, "Copy");
    button.addEventListener("click", () => copy(button, text));
    line.append(button);
  }
  return line;
}

function block(title, ...content) {
  return element("div", { class: "block" }, element("h3", {}, title), ...content);
}

function findingDetail(row) {
  const made = element("div", { class: "opened" });
  made.append(block("What was found", prose(row.reason), terms(Object.entries(row.evidence))));
  const commands = row.commands.map(command);
  made.append(block("What to do", prose(row.remedy), ...commands));
  const facts = [["about", row.subject], ["area", row.area], ["first seen", moment(row.first_seen, true)]];
  made.append(block("Where to look", linked(row.links), terms([...facts, ["last seen", moment(row.last_seen, true)]])));
  return made;
}

function accountDetail(row) {
  const made = element("div", { class: "opened" });
  const times = [["joined", row.joined_at], ["connected", row.connected_at], ["in this state since", row.state_at]];
  const facts = terms(times.map(([name, at]) => [name, at ? moment(at, true) : ""]));
  made.append(block("What the ledger has", row.reason ? prose(row.reason) : "", facts));
  const asked = row.provider === "gcp" ? `${row.account} --provider gcp` : row.account;
  made.append(block("What to do", row.remedy ? prose(row.remedy) : "", command(`rollcall status ${asked}`)));
  const found = element("a", { href: `#findings?q=${encodeURIComponent(row.account)}` }, "Its findings");
  made.append(block("Where to look", linked(row.links), element("p", {}, found), terms([["connector", row.connector_id]])));
  return made;
}

const byText = (name) => ({ value: (row) => row[name] ?? "", cell: (row) => element("span", {}, row[name] || "–") });
const unit = { value: (row) => row.ou_path, cell: (row) => broken(row.ou_path || "–") };
const byDate = (name) => ({ value: (row) => row[name] ?? "", cell: (row) => element("span", {}, moment(row[name])) });
const tookOf = (row) => (row.joined_at && row.connected_at ? (Date.parse(row.connected_at) - Date.parse(row.joined_at)) / 1000 : -1);

/** Resource Manager is the truth: what the ledger calls connected and the sweep misses is said to be missing. */
const stateOf = (row) => (row.state === "connected" && row.group === "failed" ? "connector missing" : row.state);

/** What failed comes first, as the gravest findings do. */
const byGroup = (a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group);

function accounts(rows) {
  return new Listing("accounts", rows, {
    identity: (row) => `${row.provider}-${row.account}`,
    haystack: (row) => `${row.account} ${row.name} ${row.ou_path} ${row.state} ${row.reason} ${row.connector_id}`,
    orders: { group: GROUPS },
    detail: accountDetail,
    saved: ["provider", "account", "name", "ou_path", "state", "group", "state_at", "joined_at", "connected_at", "reason", "remedy", "connector_id"],
    columns: {
      account: {
        value: (row) => row.name || row.account,
        cell: (row) => [opener(row.name || row.account, `${row.provider}-${row.account}`), " ", element("code", {}, row.account)],
      },
      unit,
      state: { value: (row) => GROUPS.indexOf(row.group), cell: (row) => mark(row.group, stateOf(row)) },
      since: byDate("state_at"),
      took: { value: tookOf, cell: (row) => element("span", {}, tookOf(row) < 0 || tookOf(row) > 259200 ? "–" : duration(tookOf(row))) },
      reason: byText("reason"),
    },
  });
}

function findings(rows) {
  return new Listing("findings", rows, {
    identity: (row) => row.identity,
    haystack: (row) => `${row.key} ${row.account} ${row.name} ${row.ou_path} ${row.subject} ${row.reason} ${Object.values(row.evidence).join(" ")}`,
    orders: { severity: SEVERITIES, standing: STANDINGS },
    first: { standing: "open" },
    detail: findingDetail,
    saved: ["severity", "standing", "key", "area", "provider", "account", "name", "ou_path", "subject", "reason", "remedy", "commands", "evidence", "links", "first_seen", "last_seen", "identity"],
    columns: {
      severity: { value: (row) => SEVERITIES.indexOf(row.severity), cell: (row) => mark(row.severity) },
      key: {
        value: (row) => row.key,
        cell: (row) => [opener(row.key, row.identity), " ", row.standing === "still" ? "" : mark(row.standing)],
      },
      account: { value: (row) => row.name || row.account, cell: who },
      unit,
      reason: byText("reason"),
      since: byDate("first_seen"),
    },
  });
}

/** Units fold: those deeper than two are folded at first where there are many. */
function fold() {
  const lines = [...document.querySelectorAll("table.tree tbody tr")];
  const depthOf = (line) => Number(line.dataset.depth);
  const below = (at) => {
    let end = at + 1;
    while (end < lines.length && depthOf(lines[end]) > depthOf(lines[at])) end += 1;
    return lines.slice(at + 1, end);
  };
  const folded = new Set();
  const draw = () => {
    let hidden = Infinity;
    for (const line of lines) {
      if (depthOf(line) <= hidden) hidden = Infinity;
      line.hidden = hidden !== Infinity;
      if (folded.has(line) && !line.hidden) hidden = depthOf(line);
    }
  };
  lines.forEach((line, at) => {
    if (!below(at).length) return;
    const name = line.querySelector("bdi").textContent;
    const button = element("button", { type: "button", class: "fold", "aria-expanded": "true", "aria-label": `Units below ${name}` });
    button.addEventListener("click", () => {
      const folds = !folded.has(line);
      if (folds) folded.add(line);
      else folded.delete(line);
      button.setAttribute("aria-expanded", !folds);
      draw();
    });
    line.cells[0].prepend(button);
    if (lines.length > 40 && depthOf(line) >= 2) button.click();
  });
}

/** Shows what the address says; a list lies lower than at `first`, once those above it are drawn. */
function follow(listings, first = false) {
  const { part, wanted } = readHash(location.hash);
  const listing = listings[part];
  if (!listing) return;
  listing.apply(wanted);
  if (first || location.hash.includes("?")) listing.section.scrollIntoView({ behavior: "instant" });
  if (first) return;
  const title = listing.section.querySelector("h2"); // where a keyboard and a screen reader go on
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
}

/** What is folded is open on paper, and as it was after it. */
function unfoldOnPaper() {
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details:not([open])")) each.open = each.dataset.unfolded = true;
  });
  addEventListener("afterprint", () => {
    for (const each of document.querySelectorAll("details[data-unfolded]")) {
      each.open = false;
      delete each.dataset.unfolded;
    }
  });
}

async function start() {
  const { text, report } = await unpack();
  const listings = { accounts: accounts([...report.accounts].sort(byGroup)), findings: findings(report.findings) };
  for (const listing of Object.values(listings)) {
    listing.apply(new URLSearchParams());
    listing.section.querySelector("[data-save=json]").addEventListener("click", () => {
      keep(`rollcall-${report.made_at.slice(0, 10)}.json`, "application/json", text);
    });
    const copies = listing.section.querySelector("[data-copy]");
    copies.hidden = !navigator.clipboard;
    copies.addEventListener("click", () => copy(copies, location.href.split("#")[0] + listing.address()));
  }
  listings.findings.follow();
  for (const link of document.querySelectorAll("a[data-filter]")) link.setAttribute("href", `${link.hash}?${link.dataset.filter}`);
  document.querySelectorAll("table.cards, table.tree").forEach(keepRoles);
  fold();
  unfoldOnPaper();
  addEventListener("hashchange", () => follow(listings));
  follow(listings, true);
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}

start();
