-- Collector of prometheus-node-exporter-lua: passes on what fwstat exports, and fails where the daemon gives nothing,
-- so that node_scrape_collector_success is 0.

local COMMAND = "/usr/bin/fwstat export --format prometheus 2>/dev/null"

local function scrape()
  local pipe = assert(io.popen(COMMAND))
  local samples = 0
  for line in pipe:lines() do
    if line:find("^fwstat_[%w_]+[{ ]") then
      samples = samples + 1
      output(line)
    elseif line:find("^# TYPE fwstat_[%w_]+ %l+$") or line:find("^# HELP fwstat_") then
      output(line)
    end
  end
  pipe:close()
  if samples == 0 then
    error("fwstat exports nothing: its daemon does not run\n")
  end
end

return { scrape = scrape }
