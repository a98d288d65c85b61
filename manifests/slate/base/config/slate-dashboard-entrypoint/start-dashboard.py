"""Starts the dashboard with the entrypoint that every SLATE service has."""

import os

os.execvp("node", ["node", "/app/slate/entrypoint.ts", "--service", "dashboard"])
