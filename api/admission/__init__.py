"""Admission: how much work, and for whom, one HTTP process takes on at a time.

- `cost`: the classes of cost that routes declare; `clients`: who counts as one client
- `gate`: the slots for work in this process, the memory for request bodies, and the queues for both
- `slots`: what a route and its endpoint ask of the gate
"""
