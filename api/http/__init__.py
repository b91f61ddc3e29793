"""HTTP, below the routes.

- `route`, `parameters`: declarations of routes and their parameters
- `responses`, `representation`, `caching`: negotiated, validated and cached responses
- `bodies`, `uploads`: bounded request bodies
- `protocol`, `heads`: connections and request heads
"""
