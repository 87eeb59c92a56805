-- The list of shared bad sources that routers may fetch: sources that at least `routers` routers saw over TCP, on each
-- of at least `days` days of the range (7 days). Ranked by routers, because one router alone can make attempts up.
-- UDP and ICMP count nothing: their senders are easily forged. Left out is what is no public unicast address.
SELECT address, max(tcp_routers) AS most_routers_a_day, uniqExact(day) AS days
FROM current_source_day(from = {from:Date}, to = {to:Date}) AS source_day
WHERE class = 'attempt' AND tcp_routers >= {routers:UInt32}
    AND NOT arrayExists(prefix -> isIPAddressInRange(address, prefix), if(isIPv4String(address),
        ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
            '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24',
            '224.0.0.0/3'],
        ['::/3', '4000::/2', '8000::/1', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']))
GROUP BY address
HAVING days >= {days:UInt32}
ORDER BY most_routers_a_day DESC, days DESC, address
LIMIT {limit:UInt32};
