// Runs Azurite and ends it when standard input ends, so that it never outlives the sandbox.
"use strict";

process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();
// Asked to end, it ends when its data are written: standard input keeps it no longer.
process.once("SIGTERM", () => process.stdin.unref());

const entry = require.resolve("azurite/dist/src/azurite.js");
process.argv[1] = entry;
require(entry);
