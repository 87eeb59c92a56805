-- Devices behind a router that may be infected: connections from inside to outside that were refused or watched, by
-- router and service.
SELECT router, name, site, protocol, port, sum(attempts) AS attempts, max(sources) AS most_devices_a_day,
    uniqExact(day) AS days, max(day) AS last_day
FROM current_router_service(from = {from:Date}, to = {to:Date}) AS service
LEFT JOIN (SELECT router, name, site FROM routers FINAL) AS routers USING (router)
WHERE class = 'egress'
GROUP BY router, name, site, protocol, port
HAVING attempts >= {min:UInt64}
ORDER BY attempts DESC, router, protocol, port
LIMIT {limit:UInt32};
