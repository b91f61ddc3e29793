-- Sends prepared requests with wrk in turn, so that consecutive requests have different heads.
--   wrk -s mixed.lua URL -- FILE NUMBER
-- FILE is a Lua table: a string is sent as it is; a pair gets a unique number between its halves,
-- counted from NUMBER on.

local requests, at, number = {}, 0, 0

function init(arguments)
  requests = dofile(arguments[1])
  number = tonumber(arguments[2])
end

function request()
  at = at % #requests + 1
  local prepared = requests[at]
  if type(prepared) == "string" then
    return prepared
  end
  number = number + 1
  return prepared[1] .. string.format("%d", number) .. prepared[2]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"microseconds": %d, "requests": %d, "bytes": %d, "p50": %d, "p99": %d, ' ..
    '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.duration, summary.requests, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
