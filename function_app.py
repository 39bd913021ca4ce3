"""The Function App: registers the blueprints, nothing else."""

from __future__ import annotations

import azure.functions as func

from functions.create_connector import blueprint as create_connector
from functions.replay_queue import blueprint as replay_queue
from functions.rewrap_poison import blueprint as rewrap_poison

app = func.FunctionApp()
app.register_functions(create_connector)
app.register_functions(replay_queue)
app.register_functions(rewrap_poison)
