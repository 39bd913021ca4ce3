// What Microsoft's language service says of queries: errors and warnings, and the columns that come out.
// In: one JSON document on standard input, {"tables": {name: "column: type, …"}, "queries": {name: text}}.
// Out: one JSON document, {name: {"said": ["line 3: …"], "columns": {name: type}}}.
"use strict";

require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { KustoCode, GlobalState, Symbols } = Kusto.Language;

function asked() {
  return JSON.parse(require("fs").readFileSync(0, "utf8"));
}

function globalsOf(tables) {
  const symbols = Object.entries(tables).map(
    ([name, columns]) => new Symbols.TableSymbol.$ctor7(name, `(${columns})`, null),
  );
  const database = new Symbols.DatabaseSymbol.ctor("queried", symbols);
  return GlobalState.Default.WithDatabase(database);
}

function lineOf(text, position) {
  return text.slice(0, position).split("\n").length;
}

function checked(text, globals) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const found = code.GetDiagnostics();
  const said = [];
  for (let index = 0; index < found.Count; index++) {
    const each = found.getItem(index);
    said.push(`line ${lineOf(text, each.Start)}: ${each.Severity}: ${each.Message}`);
  }
  const columns = {};
  const result = code.ResultType;
  if (result && result.Columns) {
    for (let index = 0; index < result.Columns.Count; index++) {
      const column = result.Columns.getItem(index);
      columns[column.Name] = column.Type.Name;
    }
  }
  return { said, columns };
}

const { tables, queries } = asked();
const globals = globalsOf(tables);
const answers = Object.entries(queries).map(([name, text]) => [name, checked(text, globals)]);
process.stdout.write(JSON.stringify(Object.fromEntries(answers)));
