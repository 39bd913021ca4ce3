// Runs Azurite and ends it when standard input ends, so that it never outlives the sandbox.
"use strict";

process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));
process.stdin.resume();

const entry = require.resolve("azurite/dist/src/azurite.js");
process.argv[1] = entry;
require(entry);
