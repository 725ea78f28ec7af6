-- For wrk: requests in random order, from a file with a path on each line, or with bodies for POST to one path.
-- `wrk ... URL -- FILE THINK_MS [PATH]`. A connection thinks for THINK_MS on average, exponentially distributed, between
-- an answer and its next request: with many connections that is a rate which does not depend on how fast answers come.
local requests = {}

function init(args)
  local think_ms, path = tonumber(args[2]), args[3]
  math.randomseed(os.time())
  for line in io.lines(args[1]) do
    requests[#requests + 1] = path
      and wrk.format("POST", path, {["Content-Type"] = "application/json"}, line)
      or wrk.format("GET", line)
  end
  if think_ms > 0 then
    function delay() return math.floor(-think_ms * math.log(1 - math.random()) + 0.5) end
  end
end

function request() return requests[math.random(#requests)] end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "errors": %d, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
