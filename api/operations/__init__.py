"""Routes for operators: `router` with health, metrics and `/openapi.json`, which `openapi` describes."""
