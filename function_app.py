"""The Function App: registers the blueprints, nothing else."""

from __future__ import annotations

import azure.functions as func

from functions.create_connector import blueprint as create_connector
from functions.doctor import blueprint as doctor
from functions.gcp_project_events import blueprint as gcp_project_events
from functions.health_sweep import blueprint as health_sweep
from functions.replay_queue import blueprint as replay_queue
from functions.report import blueprint as report
from functions.rewrap_poison import blueprint as rewrap_poison
from functions.sweep_slice import blueprint as sweep_slice

app = func.FunctionApp()
app.register_functions(create_connector)
app.register_functions(doctor)
app.register_functions(gcp_project_events)
app.register_functions(health_sweep)
app.register_functions(replay_queue)
app.register_functions(report)
app.register_functions(rewrap_poison)
app.register_functions(sweep_slice)
